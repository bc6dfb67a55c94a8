_base_ = ['./tempo_8e.py']

train_cfg = dict(max_epochs=3)
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(total_steps=3)
