_base_ = ['./x3d_m_8xb16-16x5x1-300e_kinetics400-rgb.py']

model = dict(backbone=dict(type='ATFRX3D', sgs=dict(preset='paper', stage=1)))
