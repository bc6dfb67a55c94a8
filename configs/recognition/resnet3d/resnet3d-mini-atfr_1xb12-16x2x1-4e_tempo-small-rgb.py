_base_ = ['./resnet3d-mini_1xb12-16x2x1-8e_tempo-small-rgb.py']

# Sampling goes into the trained network, which then learns to live with it.
model = dict(
    backbone=dict(
        type='ATFRResNet3d',
        sgs=dict(stage=1, similarity='l2', order='time', contiguous=True),
    )
)
load_from = (
    'work_dirs/resnet3d-mini_1xb12-16x2x1-8e_tempo-small-rgb/epoch_8.pth'
)

max_epochs = 4
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=1e-3,
        pct_start=0.2,
        total_steps=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
