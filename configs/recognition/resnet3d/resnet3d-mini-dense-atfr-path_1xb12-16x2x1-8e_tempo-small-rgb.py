_base_ = [
    '../../_base_/models/resnet3d_mini_dense.py',
    '../../_base_/datasets/tempo_small.py',
    '../../_base_/schedules/tempo_finetune_8e.py',
]

# Frames are grouped along the path of the features on a 7x7 grid, so frames
# without motion share a group, see docs/training.md. A new number of bins in
# every iteration makes the weights work at other budgets too.
model = dict(
    backbone=dict(
        type='ATFRResNet3d',
        sgs=dict(preset='path', stage=0, num_bins=12),
    )
)
custom_hooks = [*_base_.custom_hooks, dict(type='RandomBinsHook')]
load_from = (
    'work_dirs/resnet3d-mini-dense_1xb12-16x2x1-12e_tempo-small-rgb/'
    'epoch_12.pth'
)
