_base_ = [
    './x3d_xl-atfr_8xb8-16x5x1-256e_kinetics400-rgb.py',
    '../../_base_/datasets/kinetics600.py',
]

model = dict(cls_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=_base_.train_videos)
val_dataloader = dict(dataset=_base_.val_videos)
test_dataloader = dict(dataset=_base_.val_videos)
