# Something-Something V2, 64 frames spread over the video. Lists and folders:
# see tools/data/sthv2/README.md
num_classes = 174
train_videos = dict(
    type='CheckedVideoDataset',
    ann_file='data/sthv2/sthv2_train_list_videos.txt',
    data_prefix=dict(video='data/sthv2/videos'),
    pipeline=[
        dict(type='DecordInit'),
        dict(type='UniformSample', clip_len=64),
        dict(type='DecordDecode'),
        dict(type='RandomRescale', scale_range=(256, 320)),
        dict(type='RandomCrop', size=224),
        # No Flip: left and right are part of the classes.
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ],
)
val_videos = dict(
    type='CheckedVideoDataset',
    ann_file='data/sthv2/sthv2_val_list_videos.txt',
    data_prefix=dict(video='data/sthv2/videos'),
    pipeline=[
        dict(type='DecordInit'),
        dict(type='UniformSample', clip_len=64, test_mode=True),
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(-1, 256)),
        dict(type='CenterCrop', crop_size=256),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ],
)
