# Like own_videos.py, with eight frames spread over the video, for TSM.
_base_ = ['./own_videos.py']

sample = dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=8)
train_pipeline = _base_.train_pipeline
train_pipeline[1] = sample
train_pipeline[7] = dict(type='FormatShape', input_format='NCHW')
test_pipeline = _base_.test_pipeline
test_pipeline[1] = dict(**sample, test_mode=True)
test_pipeline[5] = dict(type='FormatShape', input_format='NCHW')
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
