_base_ = [
    '../../_base_/models/tsm_r18.py',
    '../../_base_/datasets/grid_color_16x1_frames.py',
    '../../_base_/schedules/tempo_wide_24e.py',
]

model = dict(
    # Frames are 64x32, so the first stage keeps their size.
    backbone=dict(strides=(1, 2, 2, 2)),
    cls_head=dict(num_classes=4),
)
