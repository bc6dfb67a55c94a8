_base_ = ['mmaction::_base_/models/tsm_r50.py']

model = dict(
    backbone=dict(
        depth=18,
        num_segments=16,
        pretrained=None,
        pretrained2d=False,
    ),
    cls_head=dict(
        num_classes=12, num_segments=16, in_channels=512, dropout_ratio=0.0
    ),
)
