_base_ = [
    './slowfast_kinetics400-pretrained-r50_8xb2-u64-22e_sthv2-rgb.py',
]

model = dict(
    backbone=dict(
        type='ATFRResNet3dSlowFast', sgs=dict(preset='paper', stage=1)
    )
)
