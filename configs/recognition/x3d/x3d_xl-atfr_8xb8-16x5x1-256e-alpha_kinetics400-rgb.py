_base_ = ['./x3d_xl-atfr_8xb8-16x5x1-256e_kinetics400-rgb.py']

test_dataloader = dict(dataset=dict(pipeline=_base_.alpha_test_pipeline))
