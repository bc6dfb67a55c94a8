_base_ = [
    '../../_base_/models/resnet3d_mini.py',
    '../../_base_/datasets/tempo_small.py',
    '../../_base_/schedules/tempo_8e.py',
]
