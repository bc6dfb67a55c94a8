_base_ = ['./x3d_s-atfr_8xb16-13x6x1-300e_kinetics400-rgb.py']

test_dataloader = dict(dataset=dict(pipeline=_base_.alpha_test_pipeline))
