_base_ = ['./tsm-r18-atfr-path_1xb12-32x1x1-24e_grid-color-rgb.py']

model = dict(backbone=dict(sgs=dict(preset='learned', num_bins=32)))
custom_hooks = [*_base_.custom_hooks, dict(type='FitSimilarityHook')]
