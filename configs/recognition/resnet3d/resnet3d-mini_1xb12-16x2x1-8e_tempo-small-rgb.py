_base_ = [
    'mmaction::_base_/models/i3d_r50.py',
    'mmaction::_base_/default_runtime.py',
    '../../_base_/datasets/tempo_small.py',
]
custom_imports = dict(imports=['mmatfr'], allow_failed_imports=False)

# Ten layers, a quarter of the width: trains on a CPU in two minutes.
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
        zero_init_residual=False,
    ),
    cls_head=dict(num_classes=12, in_channels=128, dropout_ratio=0.0),
)

max_epochs = 8
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=4
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.02),
    clip_grad=dict(max_norm=20),
)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=2e-3,
        pct_start=0.2,
        total_steps=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
# The last model is tested; nothing is chosen on the validation videos.
default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=1, save_best=None),
    logger=dict(interval=50),
)
