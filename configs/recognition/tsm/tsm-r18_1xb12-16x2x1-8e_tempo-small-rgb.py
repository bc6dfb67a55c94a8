_base_ = [
    '../../_base_/models/tsm_r18.py',
    '../../_base_/datasets/tempo_small_frames.py',
    '../../_base_/schedules/tempo_wide_8e.py',
]
