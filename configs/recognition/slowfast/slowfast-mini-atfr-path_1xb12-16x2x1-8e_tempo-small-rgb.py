_base_ = [
    '../../_base_/models/slowfast_mini.py',
    '../../_base_/datasets/tempo_small.py',
    '../../_base_/schedules/tempo_finetune_8e.py',
]

# Frames are grouped along the path of the features on a 7x7 grid, see
# docs/training.md. The fast stem mixes five frames, so its zero padding
# affects two frames at each end, which are not merged.
model = dict(
    backbone=dict(
        type='ATFRResNet3dSlowFast',
        sgs=dict(
            slow_path=dict(preset='path', stage=0, num_bins=4),
            fast_path=dict(preset='path', stage=0, num_bins=12),
        ),
        lateral_length='frames',
    )
)
custom_hooks = [*_base_.custom_hooks, dict(type='RandomBinsHook')]
load_from = (
    'work_dirs/slowfast-mini_1xb12-16x2x1-24e_tempo-small-rgb/epoch_24.pth'
)
