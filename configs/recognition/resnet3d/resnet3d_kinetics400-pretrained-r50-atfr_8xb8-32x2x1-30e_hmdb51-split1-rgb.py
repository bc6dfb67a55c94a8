_base_ = [
    '../../_base_/finetuned_resnet3d_r50.py',
    '../../_base_/datasets/hmdb51.py',
]

model = dict(cls_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=_base_.train_videos)
val_dataloader = dict(dataset=_base_.val_videos)
test_dataloader = dict(dataset=_base_.val_videos)
