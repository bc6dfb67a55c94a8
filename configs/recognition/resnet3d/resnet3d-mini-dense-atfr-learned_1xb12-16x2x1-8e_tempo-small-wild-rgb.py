_base_ = [
    '../../_base_/models/resnet3d_mini_dense.py',
    '../../_base_/datasets/tempo_small_wild.py',
    '../../_base_/schedules/tempo_finetune_8e.py',
]

# Where everything moves, change is not importance. A head is fitted to the
# gains of the network from the steps, and frames are grouped along the path
# over these, see docs/moving_worlds.md.
model = dict(
    backbone=dict(
        type='ATFRResNet3d',
        sgs=dict(preset='learned', stage=0, num_bins=16),
    )
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='FitSimilarityHook'),
    dict(type='RandomBinsHook'),
]
load_from = (
    'work_dirs/resnet3d-mini-dense_1xb12-16x2x1-12e_tempo-small-wild-rgb/'
    'epoch_12.pth'
)
