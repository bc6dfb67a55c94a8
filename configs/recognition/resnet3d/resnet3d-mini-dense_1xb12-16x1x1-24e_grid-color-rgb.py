_base_ = [
    '../../_base_/models/resnet3d_mini_dense.py',
    '../../_base_/datasets/grid_color_16x1.py',
    '../../_base_/schedules/tempo_24e.py',
]

model = dict(cls_head=dict(num_classes=4))
