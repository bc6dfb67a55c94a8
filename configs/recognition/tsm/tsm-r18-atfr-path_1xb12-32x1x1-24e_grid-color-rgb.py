_base_ = [
    '../../_base_/models/tsm_r18.py',
    '../../_base_/datasets/grid_color_32x1_frames.py',
    '../../_base_/schedules/tempo_wide_finetune_24e.py',
]

model = dict(
    backbone=dict(
        type='ATFRResNetTSM',
        num_segments=32,
        strides=(1, 2, 2, 2),
        sgs=dict(preset='path', stage=0, num_bins=16),
    ),
    cls_head=dict(num_classes=4, num_segments=32),
)
custom_hooks = [*_base_.custom_hooks, dict(type='RandomBinsHook')]
load_from = 'work_dirs/tsm-r18_1xb12-32x1x1-24e_grid-color-rgb/epoch_24.pth'
