# Lists and folders: see tools/data/ucf101/README.md
num_classes = 101
split = 1  # of three
train_list = 'data/ucf101/ucf101_train_split_{}_videos.txt'
val_list = 'data/ucf101/ucf101_val_split_{}_videos.txt'
train_videos = dict(
    type='CheckedVideoDataset',
    ann_file=train_list.format(split),
    data_prefix=dict(video='data/ucf101/videos'),
)
val_videos = dict(
    type='CheckedVideoDataset',
    ann_file=val_list.format(split),
    data_prefix=dict(video='data/ucf101/videos'),
)
