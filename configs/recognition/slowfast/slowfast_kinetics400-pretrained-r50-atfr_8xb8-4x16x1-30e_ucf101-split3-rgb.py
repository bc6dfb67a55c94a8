_base_ = [
    './slowfast_kinetics400-pretrained-r50-atfr_8xb8-4x16x1-30e_ucf101-split1-rgb.py'
]

split = 3
train_dataloader = dict(dataset=dict(ann_file=_base_.train_list.format(split)))
val_dataloader = dict(dataset=dict(ann_file=_base_.val_list.format(split)))
test_dataloader = val_dataloader
