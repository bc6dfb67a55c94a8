_base_ = [
    '../../_base_/models/slowfast_mini.py',
    '../../_base_/datasets/tempo_small_wild.py',
    '../../_base_/schedules/tempo_24e.py',
]

# The wild world is learned in two steps, the still world first.
load_from = (
    'work_dirs/slowfast-mini_1xb12-16x2x1-24e_tempo-small-rgb/epoch_24.pth'
)
