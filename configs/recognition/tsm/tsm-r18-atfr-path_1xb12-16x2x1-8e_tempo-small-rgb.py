_base_ = [
    '../../_base_/models/tsm_r18.py',
    '../../_base_/datasets/tempo_small_frames.py',
    '../../_base_/schedules/tempo_wide_finetune_8e.py',
]

# Frames are grouped along the path of the features on a 7x7 grid, so frames
# without motion share a group, see docs/training.md.
model = dict(
    backbone=dict(
        type='ATFRResNetTSM',
        sgs=dict(preset='path', stage=0, num_bins=12),
    )
)
custom_hooks = [*_base_.custom_hooks, dict(type='RandomBinsHook')]
load_from = 'work_dirs/tsm-r18_1xb12-16x2x1-8e_tempo-small-rgb/epoch_8.pth'
