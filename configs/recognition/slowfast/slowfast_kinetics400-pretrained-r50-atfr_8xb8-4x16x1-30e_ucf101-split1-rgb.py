_base_ = [
    './slowfast_kinetics400-pretrained-r50-atfr_8xb8-4x16x1-30e_kinetics400-rgb.py',
    '../../_base_/datasets/ucf101.py',
]

model = dict(cls_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=_base_.train_videos)
val_dataloader = dict(dataset=_base_.val_videos)
test_dataloader = dict(dataset=_base_.val_videos)
