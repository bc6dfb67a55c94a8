_base_ = [
    '../../_base_/models/resnet3d_mini_dense.py',
    '../../_base_/datasets/grid_color_32x1.py',
    '../../_base_/schedules/tempo_finetune_24e.py',
]

model = dict(
    backbone=dict(
        type='ATFRResNet3d',
        sgs=dict(preset='path', stage=0, num_bins=16),
    ),
    cls_head=dict(num_classes=4),
)
custom_hooks = [*_base_.custom_hooks, dict(type='RandomBinsHook')]
load_from = (
    'work_dirs/resnet3d-mini-dense_1xb12-32x1x1-24e_grid-color-rgb/'
    'epoch_24.pth'
)
