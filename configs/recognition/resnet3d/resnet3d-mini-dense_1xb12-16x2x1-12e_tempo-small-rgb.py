_base_ = [
    '../../_base_/models/resnet3d_mini_dense.py',
    '../../_base_/datasets/tempo_small.py',
    '../../_base_/schedules/tempo_12e.py',
]
