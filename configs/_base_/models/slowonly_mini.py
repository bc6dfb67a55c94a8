_base_ = ['mmaction::_base_/models/slowonly_r50.py']

# Ten layers, a quarter of the width.
model = dict(
    backbone=dict(
        depth=18,
        pretrained=None,
        stage_blocks=(1, 1, 1, 1),
        base_channels=16,
        conv1_kernel=(1, 5, 5),
        zero_init_residual=False,
    ),
    cls_head=dict(num_classes=12, in_channels=128, dropout_ratio=0.0),
)
