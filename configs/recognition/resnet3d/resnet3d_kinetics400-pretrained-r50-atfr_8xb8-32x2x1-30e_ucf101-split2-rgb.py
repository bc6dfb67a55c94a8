_base_ = [
    './resnet3d_kinetics400-pretrained-r50-atfr_8xb8-32x2x1-30e_ucf101-split1-rgb.py'
]

split = 2
train_dataloader = dict(dataset=dict(ann_file=_base_.train_list.format(split)))
val_dataloader = dict(dataset=dict(ann_file=_base_.val_list.format(split)))
test_dataloader = val_dataloader
