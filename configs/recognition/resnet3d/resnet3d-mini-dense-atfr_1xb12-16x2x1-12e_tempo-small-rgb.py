_base_ = ['./resnet3d-mini-dense_1xb12-16x2x1-12e_tempo-small-rgb.py']

# The paper's formula, behind the stem.
model = dict(backbone=dict(type='ATFRResNet3d', sgs=dict(stage=0)))
