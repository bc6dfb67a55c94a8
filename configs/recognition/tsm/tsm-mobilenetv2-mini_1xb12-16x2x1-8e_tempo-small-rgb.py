# No schedule with which it learns has been found. After eight epochs from
# scratch it is at chance.
_base_ = [
    '../../_base_/models/tsm_mobilenetv2_mini.py',
    '../../_base_/datasets/tempo_small_frames.py',
    '../../_base_/schedules/tempo_8e.py',
]
