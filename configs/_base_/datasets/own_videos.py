# Your own videos, with the lists of tools/data/make_lists.py, for 3D networks:
# 32 of 64 frames at 224x224. See docs/own_data.md.
_base_ = ['../adaptive.py']

data_root = 'data/own'
train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=32, frame_interval=2),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=32, frame_interval=2, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
loader = dict(batch_size=8, num_workers=2, persistent_workers=True)
videos = dict(
    type='CheckedVideoDataset',
    data_root=data_root,
    metainfo=dict(classes=f'{data_root}/classes.txt'),
    data_prefix=dict(video='videos'),
)
train_dataloader = dict(
    **loader,
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
val_evaluator = _base_.adaptive_evaluator
test_evaluator = _base_.adaptive_evaluator
