_base_ = ['./x3d_m_8xb16-16x5x1-300e_kinetics400-rgb.py']

model = dict(backbone=dict(gamma_d=5))

train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=5, target_fps=30),
    dict(type='DecordDecode'),
    dict(type='RandomRescale', scale_range=(356, 446)),
    dict(type='RandomCrop', size=312),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames',
        clip_len=16,
        frame_interval=5,
        target_fps=30,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 356)),
    dict(type='CenterCrop', crop_size=312),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
sample_10_clips = dict(
    type='SampleFrames',
    clip_len=16,
    frame_interval=5,
    num_clips=10,
    target_fps=30,
    test_mode=True,
)
# The beta protocol: 10 clips of 3 crops each. Alpha uses the centre crop.
test_pipeline = [
    dict(type='DecordInit'),
    sample_10_clips,
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 356)),
    dict(type='ThreeCrop', crop_size=356),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
alpha_test_pipeline = [
    dict(type='DecordInit'),
    sample_10_clips,
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 312)),
    dict(type='CenterCrop', crop_size=312),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]

train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=8, dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

train_cfg = dict(max_epochs=256)
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.2,
        by_epoch=True,
        end=35,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=256,
        by_epoch=True,
        end=256,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(base_batch_size=64)
