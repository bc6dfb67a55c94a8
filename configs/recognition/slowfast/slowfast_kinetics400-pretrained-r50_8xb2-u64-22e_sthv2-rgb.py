# The published recipe of PySlowFast's SSv2/SLOWFAST_16x8_R50.
_base_ = [
    'mmaction::recognition/slowfast/slowfast_r50_8xb8-8x8x1-256e_kinetics400-rgb.py',
    '../../_base_/datasets/sthv2_u64.py',
    '../../_base_/adaptive.py',
]

model = dict(cls_head=dict(num_classes=_base_.num_classes))
load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/recognition/slowfast/'
    'slowfast_r50_8xb8-8x8x1-256e_kinetics400-rgb/'
    'slowfast_r50_8xb8-8x8x1-256e_kinetics400-rgb_20220818-1cb6dfc8.pth'
)

train_dataloader = dict(batch_size=2, dataset=_base_.train_videos)
val_dataloader = dict(batch_size=2, dataset=_base_.val_videos)
test_dataloader = dict(dataset=_base_.val_videos)
val_evaluator = _base_.adaptive_evaluator
test_evaluator = _base_.adaptive_evaluator

train_cfg = dict(max_epochs=22, val_interval=2)
optim_wrapper = dict(optimizer=dict(lr=0.03, weight_decay=1e-6))
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 300, by_epoch=False, end=2000),
    dict(type='MultiStepLR', by_epoch=True, milestones=[14, 18], gamma=0.1),
]
