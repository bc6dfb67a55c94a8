_base_ = ['./resnet3d-mini_1xb12-16x2x1-8e_tempo-small-rgb.py']

# Keeps all frames up to the head: the stem is spatial and no stage strides in
# time, as in SlowOnly. The four stages are 92 % of the cost.
model = dict(
    backbone=dict(conv1_kernel=(1, 5, 5), temporal_strides=(1, 1, 1, 1))
)

max_epochs = 12
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=2e-3,
        pct_start=0.2,
        total_steps=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
