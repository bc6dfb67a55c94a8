_base_ = [
    '../../_base_/models/x3d_xxs.py',
    '../../_base_/datasets/tempo_small_wild.py',
    # Half the learning rate of the training, as in the other recipes.
    '../../_base_/schedules/tempo_8e.py',
]

# Frames are grouped along the path over the steps that a small head predicts,
# see docs/moving_worlds.md.
model = dict(
    backbone=dict(
        type='ATFRX3D',
        sgs=dict(preset='learned', stage=0, num_bins=16),
    )
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='FitSimilarityHook'),
    dict(type='RandomBinsHook'),
]
load_from = (
    'work_dirs/x3d_xxs_1xb12-16x2x1-24e_tempo-small-wild-rgb/epoch_24.pth'
)
