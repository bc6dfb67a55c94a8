# Lists and folders: see tools/data/ucf101/README.md
num_classes = 101
train_videos = dict(
    type='CheckedVideoDataset',
    ann_file='data/ucf101/ucf101_train_split_1_videos.txt',
    data_prefix=dict(video='data/ucf101/videos'),
)
val_videos = dict(
    type='CheckedVideoDataset',
    ann_file='data/ucf101/ucf101_val_split_1_videos.txt',
    data_prefix=dict(video='data/ucf101/videos'),
)
