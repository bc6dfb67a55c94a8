_base_ = [
    '../../_base_/models/tsm_r18.py',
    '../../_base_/datasets/tempo_small_wild_frames.py',
    '../../_base_/schedules/tempo_wide_finetune_8e.py',
]

# Frames are grouped along the path over the steps that a small head predicts,
# see docs/moving_worlds.md.
model = dict(
    backbone=dict(
        type='ATFRResNetTSM',
        sgs=dict(preset='learned', stage=0, num_bins=16),
    )
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='FitSimilarityHook'),
    dict(type='RandomBinsHook'),
]
load_from = (
    'work_dirs/tsm-r18_1xb12-16x2x1-8e_tempo-small-wild-rgb/epoch_8.pth'
)
