_base_ = [
    './resnet3d_kinetics400-pretrained-r50-atfr_8xb8-32x2x1-30e_hmdb51-split1-rgb.py'
]

ann_file = 'data/hmdb51/hmdb51_val_split_3_videos.txt'
train_dataloader = dict(
    dataset=dict(ann_file='data/hmdb51/hmdb51_train_split_3_videos.txt')
)
val_dataloader = dict(dataset=dict(ann_file=ann_file))
test_dataloader = dict(dataset=dict(ann_file=ann_file))
