_base_ = [
    '../../_base_/models/tsm_r18.py',
    '../../_base_/datasets/tempo_small_wild_frames.py',
    '../../_base_/schedules/tempo_wide_8e.py',
]

# The wild world is learned in two steps, the still world first.
load_from = 'work_dirs/tsm-r18_1xb12-16x2x1-8e_tempo-small-rgb/epoch_8.pth'
