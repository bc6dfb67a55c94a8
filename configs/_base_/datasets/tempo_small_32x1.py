# `tempo` small, with every frame.
_base_ = ['./tempo_small.py']

sample = dict(type='SampleFrames', clip_len=32, frame_interval=1)
train_pipeline = _base_.train_pipeline
train_pipeline[1] = sample
test_pipeline = _base_.test_pipeline
test_pipeline[1] = dict(**sample, test_mode=True)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
