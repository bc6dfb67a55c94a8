_base_ = ['mmaction::_base_/models/ircsn_r152.py']

# Fourteen layers, a quarter of the width.
model = dict(
    backbone=dict(
        depth=50,
        stage_blocks=(1, 1, 1, 1),
        base_channels=16,
        temporal_strides=(1, 1, 2, 1),
    ),
    cls_head=dict(num_classes=12, in_channels=512, dropout_ratio=0.0),
    # The limit of views at a time in the base needs batches of one video.
    test_cfg=dict(_delete_=True),
)
