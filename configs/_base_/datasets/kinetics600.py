# Lists and folders: see tools/data/kinetics600/README.md
num_classes = 600
train_videos = dict(
    type='CheckedVideoDataset',
    ann_file='data/kinetics600/kinetics600_train_list_videos.txt',
    data_prefix=dict(video='data/kinetics600/videos_train'),
)
val_videos = dict(
    type='CheckedVideoDataset',
    ann_file='data/kinetics600/kinetics600_val_list_videos.txt',
    data_prefix=dict(video='data/kinetics600/videos_val'),
)
