_base_ = [
    'mmaction::recognition/csn/ircsn_ig65m-pretrained-r50-bnfrozen_8xb12-32x2x1-58e_kinetics400-rgb.py',
    '../../_base_/adaptive.py',
]

model = dict(
    backbone=dict(type='ATFRResNet3dCSN', sgs=dict(preset='paper', stage=1))
)
val_evaluator = _base_.adaptive_evaluator
test_evaluator = _base_.adaptive_evaluator
