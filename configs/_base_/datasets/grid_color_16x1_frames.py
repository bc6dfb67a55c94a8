# GRID, windows of 16 frames for networks of 2D modules, with the frames of a
# clip as images.
_base_ = ['./grid_color_16x1.py']

train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
for pipeline in train_pipeline, test_pipeline:
    pipeline[-2].update(input_format='NCHW')
del pipeline

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
