# Adds sampling to a trained network and fine-tunes it.
_base_ = [
    './slowfast_r50-atfr_8xb8-4x16x1-256e_kinetics400-rgb.py',
    '../../_base_/schedules/cosine_30e.py',
]

load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/recognition/slowfast/'
    'slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb/'
    'slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb_20220901-701b0f6f.pth'
)

# A tenth of the published learning rate.
train_cfg = dict(max_epochs=30)
optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = _base_.cosine_30e
