_base_ = ['./tempo_wide_8e.py']

train_cfg = dict(max_epochs=24)
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(total_steps=24)
