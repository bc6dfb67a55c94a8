"""The recognizers that the tables of times are made of."""

from typing import Dict, NamedTuple, Tuple

from mmatfr.zoo.models import config_path

__all__ = ['MODELS', 'TimedModel']


class TimedModel(NamedTuple):
    """A recognizer that is timed.

    Attributes:
        name (str): Name of its config.
        shape (tuple[int, int, int]): Size (T, H, W) of its clips. It is that
            of training, which is smaller than that of testing; the frames of
            the 3D ResNet are half as wide.
        peer (str): How batches of unequal clips are padded beside it:
            'padded', as the authors do, where the backbone is 3D and has one
            pathway; else 'longest', the least that padding can cost.
    """

    name: str
    shape: Tuple[int, int, int]
    peer: str = 'padded'

    @property
    def config(self) -> str:
        """Path of its config."""
        return config_path(self.name)


MODELS: Dict[str, TimedModel] = {
    'x3d-s': TimedModel(
        'x3d_s-atfr_8xb16-13x6x1-300e_kinetics400-rgb', (13, 160, 160)
    ),
    'x3d-m': TimedModel(
        'x3d_m-atfr_8xb16-16x5x1-300e_kinetics400-rgb', (16, 224, 224)
    ),
    'slowfast-4x16-r50': TimedModel(
        'slowfast_r50-atfr_8xb8-4x16x1-256e_kinetics400-rgb',
        (32, 224, 224),
        'longest',
    ),
    'resnet3d-r50': TimedModel(
        'resnet3d_imagenet-pretrained-r50-atfr_8xb8-32x2x1-100e_'
        'kinetics400-rgb',
        (32, 112, 112),
    ),
    'tsm-r50': TimedModel(
        'tsm_imagenet-pretrained-r50-atfr_8xb16-1x1x8-50e_kinetics400-rgb',
        (8, 224, 224),
        'longest',
    ),
    'x3d-xl': TimedModel(
        'x3d_xl-atfr_8xb8-16x5x1-256e-alpha_kinetics400-rgb', (16, 312, 312)
    ),
}
