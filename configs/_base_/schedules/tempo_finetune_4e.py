# Adds sampling to the trained network and fine-tunes it.
_base_ = ['./tempo_8e.py']

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
