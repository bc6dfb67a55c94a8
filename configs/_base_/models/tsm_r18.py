_base_ = ['mmaction::_base_/models/tsm_r50.py']

# To be trained from scratch in minutes. How it came to learn is in
# docs/training.md; the first stride makes it affordable.
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
