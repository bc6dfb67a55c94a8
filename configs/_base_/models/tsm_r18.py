_base_ = ['mmaction::_base_/models/tsm_r50.py']

# For training from scratch in minutes; the first stride keeps the cost low.
# docs/training_recognizers.md describes which settings learn.
model = dict(
    backbone=dict(
        depth=18,
        num_segments=16,
        strides=(2, 2, 2, 2),
        shift_div=4,
        shift_place='block',
        pretrained=None,
        pretrained2d=False,
    ),
    cls_head=dict(
        num_classes=12,
        num_segments=16,
        in_channels=512,
        dropout_ratio=0.0,
        init_std=0.01,
    ),
)
