# Beyond the text of the paper no recipe of XL has been published; this is that
# of L.
_base_ = ['./x3d_l_8xb8-16x5x1-256e_kinetics400-rgb.py']

model = dict(
    backbone=dict(type='X3DRounded', gamma_w=1.45, width_rounding='stage'),
    cls_head=dict(in_channels=630),
)
