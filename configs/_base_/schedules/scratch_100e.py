# From random weights, on one device with batches of 8.
_base_ = ['./finetune_30e.py']

train_cfg = dict(max_epochs=100, val_interval=5)
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.1,
        by_epoch=True,
        end=10,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=100,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
