# GRID, windows of 16 frames.
_base_ = ['./grid_color_32x1.py']

train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
for pipeline in train_pipeline, test_pipeline:
    pipeline[1].update(num_frames=16)
    pipeline[2].update(clip_len=16)
del pipeline

clip_len = 16
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
