_base_ = [
    '../../_base_/models/slowfast_mini.py',
    '../../_base_/datasets/tempo_small_wild.py',
    '../../_base_/schedules/tempo_finetune_8e.py',
]

# Frames are grouped along the path over the steps that a small head of each
# pathway predicts, see docs/moving_worlds.md.
model = dict(
    backbone=dict(
        type='ATFRResNet3dSlowFast',
        sgs=dict(
            slow_path=dict(preset='learned', stage=0, num_bins=4),
            fast_path=dict(preset='learned', stage=0, num_bins=16),
        ),
        lateral_length='frames',
    )
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='FitSimilarityHook'),
    dict(type='RandomBinsHook'),
]
load_from = (
    'work_dirs/slowfast-mini_1xb12-16x2x1-24e_tempo-small-wild-rgb/'
    'epoch_24.pth'
)
