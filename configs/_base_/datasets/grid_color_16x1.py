# GRID, windows of 16 frames.
_base_ = ['./grid_color_32x1.py']

clip_len = 16
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
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
