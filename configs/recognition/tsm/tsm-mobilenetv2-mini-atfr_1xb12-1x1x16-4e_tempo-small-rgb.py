_base_ = [
    '../../_base_/models/tsm_mobilenetv2_mini.py',
    '../../_base_/datasets/tempo_small_frames.py',
    '../../_base_/schedules/tempo_4e.py',
]

model = dict(
    backbone=dict(
        type='ATFRMobileNetV2TSM',
        sgs=dict(stage=1, similarity='l2', order='time', contiguous=True),
    )
)
load_from = (
    'work_dirs/tsm-mobilenetv2-mini_1xb12-1x1x16-8e_tempo-small-rgb/'
    'epoch_8.pth'
)
