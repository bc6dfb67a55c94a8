# X3D learns slowly.
_base_ = ['./tempo_24e.py']

optim_wrapper = dict(optimizer=dict(lr=4e-3))
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(eta_max=4e-3)
