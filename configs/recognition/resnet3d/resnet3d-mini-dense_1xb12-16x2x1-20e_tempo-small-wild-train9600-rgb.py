_base_ = [
    '../../_base_/models/resnet3d_mini_dense.py',
    '../../_base_/datasets/tempo_small_wild_train9600.py',
    '../../_base_/schedules/tempo_finetune_20e.py',
]

# The teacher of the distilled network.
load_from = (
    'work_dirs/resnet3d-mini-dense_1xb12-16x2x1-3e_tempo-small-wild-train9600-'
    'rgb/epoch_3.pth'
)
