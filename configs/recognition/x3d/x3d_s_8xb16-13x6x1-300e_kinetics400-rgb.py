# mmaction2 only tests X3D; this config trains it with the recipe of
# arXiv:2004.04730, for one machine with 8 GPUs, without multigrid training and
# without precise BN statistics before each evaluation.
_base_ = [
    'mmaction::_base_/models/x3d.py',
    'mmaction::_base_/default_runtime.py',
    '../../_base_/adaptive.py',
]

sample = dict(
    type='SampleFrames', clip_len=13, frame_interval=6, target_fps=30
)
sample_10_clips = dict(**sample, num_clips=10, test_mode=True)
train_pipeline = [
    dict(type='DecordInit'),
    sample,
    dict(type='DecordDecode'),
    dict(type='RandomRescale', scale_range=(182, 228)),
    dict(type='RandomCrop', size=160),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='DecordInit'),
    dict(**sample, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 182)),
    dict(type='CenterCrop', crop_size=160),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
# The beta protocol: 10 clips of 3 crops each. Alpha uses the centre crop.
test_pipeline = [
    dict(type='DecordInit'),
    sample_10_clips,
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 182)),
    dict(type='ThreeCrop', crop_size=182),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
alpha_test_pipeline = [
    dict(type='DecordInit'),
    sample_10_clips,
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 160)),
    dict(type='CenterCrop', crop_size=160),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CheckedVideoDataset',
        ann_file='data/kinetics400/kinetics400_train_list_videos.txt',
        data_prefix=dict(video='data/kinetics400/videos_train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CheckedVideoDataset',
        ann_file='data/kinetics400/kinetics400_val_list_videos.txt',
        data_prefix=dict(video='data/kinetics400/videos_val'),
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CheckedVideoDataset',
        ann_file='data/kinetics400/kinetics400_val_list_videos.txt',
        data_prefix=dict(video='data/kinetics400/videos_val'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
val_evaluator = _base_.adaptive_evaluator
test_evaluator = _base_.adaptive_evaluator

train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=300, val_begin=1, val_interval=10
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-5),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.1,
        by_epoch=True,
        end=35,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=300,
        by_epoch=True,
        end=300,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(
    checkpoint=dict(interval=10, max_keep_ckpts=3), logger=dict(interval=100)
)
auto_scale_lr = dict(enable=False, base_batch_size=128)
