_base_ = [
    '../../_base_/models/resnet3d_mini_dense.py',
    '../../_base_/datasets/grid_color_32x1.py',
    '../../_base_/schedules/tempo_24e.py',
]

model = dict(cls_head=dict(num_classes=4))
# Longer windows are learned in two steps, with half of the frames first.
load_from = (
    'work_dirs/resnet3d-mini-dense_1xb12-16x1x1-24e_grid-color-rgb/'
    'epoch_24.pth'
)
