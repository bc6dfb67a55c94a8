# Shortcut check of tempo: one frame at random in training; in testing the
# predictions of 16 single frames are averaged.
_base_ = ['./resnet3d-mini_1xb12-16x2x1-8e_tempo-small-rgb.py']

train_pipeline = _base_.train_pipeline
train_pipeline[1] = dict(type='SampleFrames', clip_len=1)
test_pipeline = _base_.test_pipeline
test_pipeline[1] = dict(
    type='SampleFrames', clip_len=1, num_clips=16, test_mode=True
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
