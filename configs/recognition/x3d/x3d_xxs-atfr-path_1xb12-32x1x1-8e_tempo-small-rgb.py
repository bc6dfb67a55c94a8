_base_ = [
    '../../_base_/models/x3d_xxs.py',
    '../../_base_/datasets/tempo_small_32x1.py',
    # Half the learning rate of its own training, as in the other recipes.
    '../../_base_/schedules/tempo_8e.py',
]

# A group is a stretch of the path that the features of a 7x7 grid take, see
# docs/training.md. The network has been trained on every other frame; what
# sampling saves pays for the others. The stem's convolution over five frames
# has seen the zero padding on two frames of each end, which stay as they are.
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
