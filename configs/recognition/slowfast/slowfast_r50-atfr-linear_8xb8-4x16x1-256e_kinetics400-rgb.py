# What the authors' released weights compute, after
# tools/model_converters/pyslowfast_to_mmaction2.py has renamed them.
_base_ = ['./slowfast_r50-atfr_8xb8-4x16x1-256e_kinetics400-rgb.py']

model = dict(
    backbone=dict(
        slow_pathway=dict(lateral_norm=True),
        sgs=dict(preset='authors', pre_activation=True),
    )
)
