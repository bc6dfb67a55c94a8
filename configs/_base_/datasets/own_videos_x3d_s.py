# Like own_videos.py, with the clips of X3D-S: 13 of 78 frames at 160x160.
_base_ = ['./own_videos.py']

sample = dict(type='SampleFrames', clip_len=13, frame_interval=6)
train_pipeline = _base_.train_pipeline
train_pipeline[1] = sample
train_pipeline[3:6] = [
    dict(type='RandomRescale', scale_range=(182, 228)),
    dict(type='RandomCrop', size=160),
]
test_pipeline = _base_.test_pipeline
test_pipeline[1] = dict(**sample, test_mode=True)
test_pipeline[3:5] = [
    dict(type='Resize', scale=(-1, 182)),
    dict(type='CenterCrop', crop_size=160),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
