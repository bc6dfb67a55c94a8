_base_ = ['./x3d_xl_8xb8-16x5x1-256e_kinetics400-rgb.py']

model = dict(backbone=dict(type='ATFRX3D', sgs=dict(preset='paper', stage=1)))
