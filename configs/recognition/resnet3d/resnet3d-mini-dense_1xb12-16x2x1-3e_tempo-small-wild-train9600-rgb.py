_base_ = [
    '../../_base_/models/resnet3d_mini_dense.py',
    '../../_base_/datasets/tempo_small_wild_train9600.py',
    '../../_base_/schedules/tempo_3e.py',
]

# As many iterations as 12 epochs of 2400 videos.
load_from = (
    'work_dirs/resnet3d-mini-dense_1xb12-16x2x1-12e_tempo-small-rgb/'
    'epoch_12.pth'
)
