_base_ = ['mmaction::_base_/models/r2plus1d_r34.py']

# Ten layers, a quarter of the width.
model = dict(
    backbone=dict(
        depth=18,
        stage_blocks=(1, 1, 1, 1),
        base_channels=16,
        norm_cfg=dict(_delete_=True, type='BN3d'),
        temporal_strides=(1, 1, 2, 1),
    ),
    cls_head=dict(num_classes=12, in_channels=128, dropout_ratio=0.0),
)
