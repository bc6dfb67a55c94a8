_base_ = [
    'mmaction::recognition/slowonly/slowonly_r50_8xb16-4x16x1-256e_kinetics400-rgb.py',
    '../../_base_/adaptive.py',
]

model = dict(
    backbone=dict(
        type='ATFRResNet3dSlowOnly', sgs=dict(preset='paper', stage=1)
    )
)
val_evaluator = _base_.adaptive_evaluator
test_evaluator = _base_.adaptive_evaluator
