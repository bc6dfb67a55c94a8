_base_ = [
    'mmaction::recognition/r2plus1d/r2plus1d_r34_8xb8-8x8x1-180e_kinetics400-rgb.py',
    '../../_base_/adaptive.py',
]

model = dict(
    backbone=dict(type='ATFRResNet2Plus1d', sgs=dict(preset='paper', stage=1))
)
val_evaluator = _base_.adaptive_evaluator
test_evaluator = _base_.adaptive_evaluator
