# Reproduces the authors' released weights, converted by
# tools/model_converters/pyslowfast_to_mmaction2.py.
_base_ = ['./slowfast_r50-atfr_8xb8-4x16x1-256e_kinetics400-rgb.py']

model = dict(
    backbone=dict(
        slow_pathway=dict(lateral_norm=True),
        sgs=dict(preset='authors', pre_activation=True),
    )
)
