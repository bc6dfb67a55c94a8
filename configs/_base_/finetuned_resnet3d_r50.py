# Adds sampling to a network trained on Kinetics-400 and fine-tunes it.
_base_ = [
    '../recognition/resnet3d/resnet3d_imagenet-pretrained-r50-atfr_8xb8-32x2x1-100e_kinetics400-rgb.py',
    './schedules/cosine_30e.py',
]

load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/recognition/i3d/'
    'i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb/'
    'i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb_20220812-e213c223.pth'
)

# A tenth of the published learning rate.
train_cfg = dict(max_epochs=30)
optim_wrapper = dict(optimizer=dict(lr=0.001))
param_scheduler = _base_.cosine_30e
