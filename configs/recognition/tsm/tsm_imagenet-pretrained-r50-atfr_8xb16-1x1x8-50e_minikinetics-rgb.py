_base_ = [
    './tsm_imagenet-pretrained-r50-atfr_8xb16-1x1x8-50e_kinetics400-rgb.py',
    '../../_base_/datasets/minikinetics.py',
]

model = dict(cls_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=_base_.train_videos)
val_dataloader = dict(dataset=_base_.val_videos)
test_dataloader = dict(dataset=_base_.val_videos)
