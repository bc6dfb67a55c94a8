_base_ = ['./resnet3d_r18_8xb24-16x2x1-45e_kinetics400-rgb.py']

model = dict(
    backbone=dict(type='ATFRResNet3d', sgs=dict(preset='paper', stage=1))
)
