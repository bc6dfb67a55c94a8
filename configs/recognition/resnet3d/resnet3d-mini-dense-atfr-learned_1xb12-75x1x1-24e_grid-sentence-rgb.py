_base_ = [
    './resnet3d-mini-dense-atfr-path_1xb12-75x1x1-24e_grid-sentence-rgb.py'
]

model = dict(backbone=dict(sgs=dict(preset='learned', num_bins=64)))
# A clip has 74 steps, so fewer clips teach the head.
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='FitSimilarityHook', num_batches=20),
]
