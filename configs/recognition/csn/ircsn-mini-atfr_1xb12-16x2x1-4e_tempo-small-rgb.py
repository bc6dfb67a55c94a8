_base_ = [
    '../../_base_/models/ircsn_mini.py',
    '../../_base_/datasets/tempo_small.py',
    '../../_base_/schedules/tempo_4e.py',
]

model = dict(
    backbone=dict(
        type='ATFRResNet3dCSN',
        sgs=dict(stage=1, similarity='l2', order='time', contiguous=True),
    )
)
load_from = 'work_dirs/ircsn-mini_1xb12-16x2x1-8e_tempo-small-rgb/epoch_8.pth'
