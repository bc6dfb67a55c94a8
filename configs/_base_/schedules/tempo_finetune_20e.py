_base_ = ['./tempo_finetune_4e.py']

train_cfg = dict(max_epochs=20)
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(total_steps=20)
