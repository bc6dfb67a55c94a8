_base_ = [
    '../../_base_/models/slowfast_mini_dense.py',
    '../../_base_/datasets/tempo_small.py',
    '../../_base_/schedules/tempo_24e.py',
]
