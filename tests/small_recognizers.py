"""Configs of a small recognizer that many tests build."""

__all__ = ['PREPROCESSOR', 'x3d']

PREPROCESSOR = dict(
    type='ActionDataPreprocessor',
    mean=[114.75] * 3,
    std=[57.38] * 3,
    format_shape='NCTHW',
)


def x3d(num_classes=12, **backbone):
    """The config of an X3D; ``sgs`` makes it sample."""
    return dict(
        type='Recognizer3D',
        backbone=dict(
            type='ATFRX3D' if 'sgs' in backbone else 'X3D',
            gamma_w=0.34,
            gamma_b=2.0,
            gamma_d=0.5,
            **backbone,
        ),
        cls_head=dict(
            type='X3DHead',
            in_channels=128,
            num_classes=num_classes,
            average_clips='prob',
        ),
        data_preprocessor=PREPROCESSOR,
    )
