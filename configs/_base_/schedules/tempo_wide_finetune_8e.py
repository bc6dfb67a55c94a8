# For wide networks.
_base_ = ['./tempo_finetune_8e.py']

optim_wrapper = dict(optimizer=dict(lr=2.5e-4))
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=2.5e-4,
        pct_start=0.2,
        total_steps=8,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
