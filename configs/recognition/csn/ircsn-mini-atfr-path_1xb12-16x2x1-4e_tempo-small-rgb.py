_base_ = [
    '../../_base_/models/ircsn_mini.py',
    '../../_base_/datasets/tempo_small.py',
    '../../_base_/schedules/tempo_finetune_4e.py',
]

# Frames are grouped along the path of the features on a 7x7 grid, so frames
# without motion share a group, see docs/training.md. The stem mixes three
# frames, so its zero padding affects one frame at each end.
model = dict(
    backbone=dict(
        type='ATFRResNet3dCSN',
        sgs=dict(preset='path', stage=0, num_bins=12),
    )
)
custom_hooks = [*_base_.custom_hooks, dict(type='RandomBinsHook')]
load_from = 'work_dirs/ircsn-mini_1xb12-16x2x1-8e_tempo-small-rgb/epoch_8.pth'
