# R3D-18 of arXiv:1711.11248: no pool, 3x3x3 convolutions throughout, and
# temporal strides after the first stage. The schedule is that of torchvision's
# reference.
_base_ = [
    'mmaction::recognition/i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py',
    '../../_base_/adaptive.py',
]

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet3d',
        depth=18,
        pretrained=None,
        pretrained2d=False,
        conv1_kernel=(3, 7, 7),
        with_pool1=False,
        with_pool2=False,
        temporal_strides=(1, 2, 2, 2),
        inflate_style='3x3x3',
        zero_init_residual=False,
    ),
    cls_head=dict(in_channels=512, dropout_ratio=0.0),
)

train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=2),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(171, 128), keep_ratio=False),
    dict(type='RandomCrop', size=112),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=2, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(171, 128), keep_ratio=False),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames',
        clip_len=16,
        frame_interval=2,
        num_clips=5,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(171, 128), keep_ratio=False),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(batch_size=24, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=24, dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = _base_.adaptive_evaluator
test_evaluator = _base_.adaptive_evaluator

train_cfg = dict(max_epochs=45)
optim_wrapper = dict(optimizer=dict(lr=0.08, weight_decay=1e-4))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.1,
        by_epoch=True,
        end=10,
        convert_to_iter_based=True,
    ),
    dict(
        type='MultiStepLR', by_epoch=True, milestones=[20, 30, 40], gamma=0.1
    ),
]
auto_scale_lr = dict(base_batch_size=192)
