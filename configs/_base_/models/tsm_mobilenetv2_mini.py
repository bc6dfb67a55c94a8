_base_ = ['mmaction::_base_/models/tsm_mobilenet_v2.py']

# Half the width.
model = dict(
    backbone=dict(
        num_segments=16,
        widen_factor=0.5,
        pretrained=None,
        pretrained2d=False,
    ),
    cls_head=dict(num_classes=12, num_segments=16, dropout_ratio=0.0),
)
