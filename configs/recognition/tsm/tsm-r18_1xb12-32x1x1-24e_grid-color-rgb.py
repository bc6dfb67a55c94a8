_base_ = [
    '../../_base_/models/tsm_r18.py',
    '../../_base_/datasets/grid_color_32x1_frames.py',
    '../../_base_/schedules/tempo_wide_24e.py',
]

model = dict(
    # Frames are 64x32, so the first stage keeps their size.
    backbone=dict(num_segments=32, strides=(1, 2, 2, 2)),
    cls_head=dict(num_classes=4, num_segments=32),
)
# Longer windows are learned in two steps, with half of the frames first.
load_from = 'work_dirs/tsm-r18_1xb12-16x1x1-24e_grid-color-rgb/epoch_24.pth'
