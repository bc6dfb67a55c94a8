# 16 of 80 frames at 224x224.
_base_ = ['./x3d_s_8xb16-13x6x1-300e_kinetics400-rgb.py']

sample = dict(
    type='SampleFrames', clip_len=16, frame_interval=5, target_fps=30
)
sample_10_clips = dict(**sample, num_clips=10, test_mode=True)
train_pipeline = _base_.train_pipeline
train_pipeline[1] = sample
train_pipeline[3:5] = [
    dict(type='RandomRescale', scale_range=(256, 320)),
    dict(type='RandomCrop', size=224),
]
val_pipeline = _base_.val_pipeline
val_pipeline[1] = dict(**sample, test_mode=True)
val_pipeline[3:5] = [
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
]
test_pipeline = _base_.test_pipeline
test_pipeline[1] = sample_10_clips
test_pipeline[3:5] = [
    dict(type='Resize', scale=(-1, 256)),
    dict(type='ThreeCrop', crop_size=256),
]
alpha_test_pipeline = _base_.alpha_test_pipeline
alpha_test_pipeline[1] = sample_10_clips
alpha_test_pipeline[3:5] = [
    dict(type='Resize', scale=(-1, 224)),
    dict(type='CenterCrop', crop_size=224),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
