_base_ = [
    '../../_base_/models/resnet3d_mini_dense_words.py',
    '../../_base_/datasets/grid_sentence_75x1.py',
    '../../_base_/schedules/tempo_36e.py',
]

# Starts from a network that recognizes the color in short windows.
load_from = (
    'work_dirs/resnet3d-mini-dense_1xb12-16x1x1-24e_grid-color-rgb/'
    'epoch_24.pth'
)
