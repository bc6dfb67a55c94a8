# GRID: a mouth says a sentence of six words, of which the second is a color.
# Prepare it as described in tools/data/grid/README.md. A clip is a window of
# 32 of 75 frames with the whole color, at a random position in training and at
# five positions in testing, which count separately.
_base_ = ['../adaptive.py']

data_root = 'data/grid'
clip_len = 32

train_pipeline = [
    dict(type='DecordInit'),
    dict(type='LimitToWord', num_frames=clip_len),
    dict(type='SampleFrames', clip_len=clip_len, keep_tail_frames=True),
    dict(type='DecordDecode'),
    dict(
        type='RandomResizedCrop',
        area_range=(0.7, 1.0),
        aspect_ratio_range=(1.8, 2.2),
    ),
    dict(type='Resize', scale=(64, 32), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(type='LimitToWord', num_frames=clip_len, test_mode=True),
    dict(type='SampleFrames', clip_len=clip_len, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(64, 32), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(
        type='PackActionInputs',
        meta_keys=('img_shape', 'frame_inds', 'word', 'sentence'),
    ),
]

loader = dict(batch_size=12, num_workers=1, persistent_workers=True)
videos = dict(
    type='WordVideoDataset',
    data_root=data_root,
    data_prefix=dict(video='videos'),
    ann_file='words.csv',
    word='color',
)
test_videos = dict(**videos, windows=5, pipeline=test_pipeline, test_mode=True)
train_dataloader = dict(
    **loader,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(**videos, split='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    **loader,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**test_videos, split='val'),
)
test_dataloader = dict(
    **loader,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**test_videos, split='test'),
)

val_evaluator = [*_base_.adaptive_evaluator, dict(type='DensityMetric')]
test_evaluator = val_evaluator
