# `tempo` small for networks of 2D modules, with the frames of a clip as
# images.
_base_ = ['./tempo_small.py']

train_pipeline = _base_.train_pipeline
train_pipeline[4] = dict(type='FormatShape', input_format='NCHW')
test_pipeline = _base_.test_pipeline
test_pipeline[5] = dict(type='FormatShape', input_format='NCHW')
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
