_base_ = [
    'mmaction::_base_/models/x3d.py',
    'mmaction::_base_/default_runtime.py',
    '../../_base_/datasets/tempo_small.py',
]
custom_imports = dict(imports=['mmatfr'], allow_failed_imports=False)

# A third of X3D-S's width and half of its depth: trains on a CPU in minutes.
model = dict(
    backbone=dict(gamma_w=0.34, gamma_b=2.0, gamma_d=1.0),
    cls_head=dict(in_channels=128, num_classes=12, dropout_ratio=0.0),
)

max_epochs = 8
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=4
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=4e-3, weight_decay=0.02),
    clip_grad=dict(max_norm=20),
)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=4e-3,
        pct_start=0.2,
        total_steps=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=1, save_best=None),
    logger=dict(interval=50),
)
