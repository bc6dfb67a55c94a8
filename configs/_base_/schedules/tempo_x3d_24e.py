# X3D learns slowly.
_base_ = ['./tempo_24e.py']

optim_wrapper = dict(optimizer=dict(lr=4e-3))
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=4e-3,
        pct_start=0.2,
        total_steps=24,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
