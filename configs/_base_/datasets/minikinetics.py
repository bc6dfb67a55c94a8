# Lists and folders: see tools/data/minikinetics/README.md
num_classes = 200
train_videos = dict(
    type='CheckedVideoDataset',
    ann_file='data/minikinetics/minikinetics_train_list_videos.txt',
    data_prefix=dict(video='data/kinetics400/videos_train'),
)
val_videos = dict(
    type='CheckedVideoDataset',
    ann_file='data/minikinetics/minikinetics_val_list_videos.txt',
    data_prefix=dict(video='data/kinetics400/videos_val'),
)
