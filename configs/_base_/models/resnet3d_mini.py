_base_ = ['mmaction::_base_/models/i3d_r50.py']

# Ten layers, a quarter of the width; trains on a CPU in minutes.
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
