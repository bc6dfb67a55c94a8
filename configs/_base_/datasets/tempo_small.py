# `tempo` small; generate it with
#   python tools/data/tempo/generate.py --size small --out data/tempo/small
_base_ = ['../adaptive.py']

data_root = 'data/tempo/small'
num_classes = 12
metainfo = dict(classes=f'{data_root}/classes.txt')
clip_len = 16
frame_interval = 2  # 16 of 32 frames: the whole video is one clip

# No Flip: it turns one class into another.
train_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval
    ),
    dict(type='DecordDecode'),
    dict(type='RandomCrop', size=56),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames',
        clip_len=clip_len,
        frame_interval=frame_interval,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    # Videos of tempo have this size; others are resized to it.
    dict(type='Resize', scale=(-1, 64)),
    dict(type='CenterCrop', crop_size=56),
    dict(type='FormatShape', input_format='NCTHW'),
    # The metric of tempo finds the action by the name of the video.
    dict(type='PackActionInputs', meta_keys=('img_shape', 'filename')),
]

loader = dict(batch_size=12, num_workers=1, persistent_workers=True)
videos = dict(
    type='CheckedVideoDataset',
    metainfo=metainfo,
    data_root=data_root,
    data_prefix=dict(video='videos'),
)
train_dataloader = dict(
    **loader,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(**videos, ann_file='train.txt', pipeline=train_pipeline),
)
val_dataloader = dict(
    **loader,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **videos, ann_file='val.txt', pipeline=test_pipeline, test_mode=True
    ),
)
test_dataloader = dict(
    **loader,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **videos, ann_file='test.txt', pipeline=test_pipeline, test_mode=True
    ),
)

val_evaluator = [*_base_.adaptive_evaluator, dict(type='TempoMetric')]
test_evaluator = val_evaluator
