_base_ = [
    '../../_base_/models/x3d_xxs.py',
    '../../_base_/datasets/tempo_small_32x1.py',
    # Half the learning rate of the training, as in the other recipes.
    '../../_base_/schedules/tempo_8e.py',
]

# Frames are grouped along the path of the features on a 7x7 grid, see
# docs/training.md. The network has been trained on every other frame; the
# savings pay for the others. The stem mixes five frames, so its zero padding
# affects two frames at each end, which are not merged.
model = dict(
    backbone=dict(
        type='ATFRX3D',
        sgs=dict(
            preset='path',
            stage=0,
            num_bins=14,
            similarity='path_squared',
            bin_range='clip',
        ),
    )
)
custom_hooks = [*_base_.custom_hooks, dict(type='RandomBinsHook')]
load_from = 'work_dirs/x3d_xxs_1xb12-16x2x1-24e_tempo-small-rgb/epoch_24.pth'
