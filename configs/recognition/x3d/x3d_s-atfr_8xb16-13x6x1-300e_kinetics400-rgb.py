_base_ = ['./x3d_s_8xb16-13x6x1-300e_kinetics400-rgb.py']

model = dict(backbone=dict(type='ATFRX3D', sgs=dict(preset='paper', stage=1)))
