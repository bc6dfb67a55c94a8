_base_ = [
    'mmaction::recognition/tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x16-50e_kinetics400-rgb.py',
    '../../_base_/adaptive.py',
]

model = dict(
    backbone=dict(type='ATFRResNetTSM', sgs=dict(preset='paper', stage=1))
)
val_evaluator = _base_.adaptive_evaluator
test_evaluator = _base_.adaptive_evaluator
