# For wide networks.
_base_ = ['./tempo_finetune_8e.py']

optim_wrapper = dict(optimizer=dict(lr=2.5e-4))
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(eta_max=2.5e-4)
