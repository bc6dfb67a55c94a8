_base_ = ['mmaction::_base_/models/slowfast_r50.py']

# Ten layers in each pathway, a quarter of the width, four slow frames.
pathway = dict(
    type='resnet3d',
    depth=18,
    pretrained=None,
    stage_blocks=(1, 1, 1, 1),
    conv1_stride_t=1,
    pool1_stride_t=1,
    zero_init_residual=False,
)
model = dict(
    backbone=dict(
        resample_rate=4,
        speed_ratio=4,
        channel_ratio=4,
        slow_pathway=dict(
            _delete_=True,
            lateral=True,
            base_channels=16,
            conv1_kernel=(1, 5, 5),
            inflate=(0, 0, 1, 1),
            **pathway,
        ),
        fast_pathway=dict(
            _delete_=True,
            lateral=False,
            base_channels=4,
            conv1_kernel=(5, 5, 5),
            **pathway,
        ),
    ),
    cls_head=dict(num_classes=12, in_channels=160, dropout_ratio=0.0),
)
