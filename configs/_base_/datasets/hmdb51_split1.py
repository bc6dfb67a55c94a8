# Lists and folders: see tools/data/hmdb51/README.md
num_classes = 51
train_videos = dict(
    type='CheckedVideoDataset',
    ann_file='data/hmdb51/hmdb51_train_split_1_videos.txt',
    data_prefix=dict(video='data/hmdb51/videos'),
)
val_videos = dict(
    type='CheckedVideoDataset',
    ann_file='data/hmdb51/hmdb51_val_split_1_videos.txt',
    data_prefix=dict(video='data/hmdb51/videos'),
)
