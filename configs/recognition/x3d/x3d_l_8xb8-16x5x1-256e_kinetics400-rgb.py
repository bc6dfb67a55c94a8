_base_ = ['./x3d_m_8xb16-16x5x1-300e_kinetics400-rgb.py']

model = dict(backbone=dict(gamma_d=5))

# At 312x312, beta at 356x356.
train_pipeline = _base_.train_pipeline
train_pipeline[3:5] = [
    dict(type='RandomRescale', scale_range=(356, 446)),
    dict(type='RandomCrop', size=312),
]
val_pipeline = _base_.val_pipeline
val_pipeline[3:5] = [
    dict(type='Resize', scale=(-1, 356)),
    dict(type='CenterCrop', crop_size=312),
]
test_pipeline = _base_.test_pipeline
test_pipeline[3:5] = [
    dict(type='Resize', scale=(-1, 356)),
    dict(type='ThreeCrop', crop_size=356),
]
alpha_test_pipeline = _base_.alpha_test_pipeline
alpha_test_pipeline[3:5] = [
    dict(type='Resize', scale=(-1, 312)),
    dict(type='CenterCrop', crop_size=312),
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
