_base_ = [
    './resnet3d-mini-dense-atfr-learned_1xb12-16x2x1-12e_tempo-small-wild-'
    'train9600-rgb.py'
]

train_cfg = dict(max_epochs=20)
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(total_steps=20)
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='DistillationHook',
        teacher='work_dirs/resnet3d-mini-dense_1xb12-16x2x1-20e_tempo-small-'
        'wild-train9600-rgb/epoch_20.pth',
    ),
]
