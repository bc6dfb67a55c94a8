# Adds sampling to the trained network and fine-tunes it.
_base_ = ['./tempo_8e.py']

train_cfg = dict(max_epochs=4)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(eta_max=1e-3, total_steps=4)
