# Adds sampling to a trained network and fine-tunes it.
_base_ = [
    './x3d_s-atfr_8xb16-13x6x1-300e_kinetics400-rgb.py',
    '../../_base_/schedules/cosine_30e.py',
]

load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/recognition/x3d/'
    'facebook/x3d_s_13x6x1_facebook-kinetics400-rgb_20201027-623825a0.pth'
)

# A tenth of the published learning rate.
train_cfg = dict(max_epochs=30)
optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = _base_.cosine_30e
