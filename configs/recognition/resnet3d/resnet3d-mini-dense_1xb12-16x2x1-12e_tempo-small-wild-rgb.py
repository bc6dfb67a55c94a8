_base_ = [
    '../../_base_/models/resnet3d_mini_dense.py',
    '../../_base_/datasets/tempo_small_wild.py',
    '../../_base_/schedules/tempo_12e.py',
]

# The wild world is learned in two steps, the still world first.
load_from = (
    'work_dirs/resnet3d-mini-dense_1xb12-16x2x1-12e_tempo-small-rgb/'
    'epoch_12.pth'
)
