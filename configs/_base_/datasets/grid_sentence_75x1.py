# GRID, whole videos of 75 frames: sentences of six words, all to recognize.
_base_ = ['./grid_color_32x1.py']

clip_len = 75
whole_video = dict(
    type='SampleFrames', clip_len=clip_len, out_of_bound_opt='repeat_last'
)

train_pipeline = [
    dict(type='DecordInit'),
    dict(**whole_video),
    *_base_.train_pipeline[3:-1],
    dict(type='PackActionInputs', meta_keys=('task_labels',)),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(**whole_video, test_mode=True),
    *_base_.test_pipeline[3:-1],
    dict(
        type='PackActionInputs',
        meta_keys=(
            'img_shape',
            'frame_inds',
            'word',
            'sentence',
            'task_labels',
        ),
    ),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, windows=1))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, windows=1))

val_evaluator = [*_base_.val_evaluator, dict(type='TaskAccMetric')]
test_evaluator = val_evaluator
