_base_ = ['./x3d_m_8xb16-16x5x1-300e_kinetics400-rgb.py']

test_dataloader = dict(dataset=dict(pipeline=_base_.alpha_test_pipeline))
