# Shortcut check of tempo: the same frames in random order, in training and
# testing.
_base_ = ['./resnet3d-mini_1xb12-16x2x1-8e_tempo-small-rgb.py']

train_pipeline = _base_.train_pipeline
train_pipeline.insert(3, dict(type='ShuffleFrames'))
test_pipeline = _base_.test_pipeline
test_pipeline.insert(3, dict(type='ShuffleFrames'))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
