# Shortcut check of tempo: 16 frames in order, the whole video.
_base_ = [
    'mmaction::_base_/models/i3d_r50.py', 'mmaction::_base_/default_runtime.py'
]
custom_imports = dict(
    imports=['mmatfr', 'mmatfr.datasets'], allow_failed_imports=False)

# Small enough to be trained on a CPU in minutes.
model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet3d',
        depth=18,
        pretrained=None,
        pretrained2d=False,
        stage_blocks=(1, 1, 1, 1),
        base_channels=16,
        conv1_kernel=(3, 5, 5),
        with_pool2=False,
        temporal_strides=(1, 2, 2, 1),
        inflate_style='3x3x3',
        zero_init_residual=False),
    cls_head=dict(num_classes=12, in_channels=128, dropout_ratio=0.0))

data_root = 'data/tempo/small'
data_prefix = dict(video='videos')
# No Flip: it turns one class into another.
train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=2),
    dict(type='DecordDecode'),
    dict(type='RandomCrop', size=56),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames', clip_len=16, frame_interval=2, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='CenterCrop', crop_size=56),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
train_dataloader = dict(
    batch_size=12,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VideoDataset',
        data_root=data_root,
        data_prefix=data_prefix,
        ann_file='train.txt',
        pipeline=train_pipeline))
test_dataloader = dict(
    batch_size=24,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        data_root=data_root,
        data_prefix=data_prefix,
        ann_file='test.txt',
        pipeline=test_pipeline,
        test_mode=True))
test_evaluator = dict(type='AccMetric')

max_epochs = 13
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs)
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.02),
    clip_grad=dict(max_norm=20))
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=2e-3,
        pct_start=0.2,
        total_steps=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True)
]
# The last model is tested; nothing is chosen on the validation videos.
default_hooks = dict(
    checkpoint=dict(interval=max_epochs, save_best=None),
    logger=dict(interval=100))
