# Lists and folders: see tools/data/hmdb51/README.md
num_classes = 51
split = 1  # of three
train_list = 'data/hmdb51/hmdb51_train_split_{}_videos.txt'
val_list = 'data/hmdb51/hmdb51_val_split_{}_videos.txt'
train_videos = dict(
    type='CheckedVideoDataset',
    ann_file=train_list.format(split),
    data_prefix=dict(video='data/hmdb51/videos'),
)
val_videos = dict(
    type='CheckedVideoDataset',
    ann_file=val_list.format(split),
    data_prefix=dict(video='data/hmdb51/videos'),
)
