_base_ = [
    '../../_base_/models/x3d_xxs.py',
    '../../_base_/datasets/tempo_small.py',
    '../../_base_/schedules/tempo_x3d_24e.py',
]
