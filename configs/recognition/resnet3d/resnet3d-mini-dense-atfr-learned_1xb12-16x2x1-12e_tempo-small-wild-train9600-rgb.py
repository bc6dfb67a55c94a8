_base_ = [
    '../../_base_/models/resnet3d_mini_dense.py',
    '../../_base_/datasets/tempo_small_wild_train9600.py',
    '../../_base_/schedules/tempo_finetune_12e.py',
]

# More videos and a longer training than in the config without `train9600`,
# see docs/moving_worlds.md.
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
    'work_dirs/resnet3d-mini-dense_1xb12-16x2x1-3e_tempo-small-wild-train9600-'
    'rgb/epoch_3.pth'
)
