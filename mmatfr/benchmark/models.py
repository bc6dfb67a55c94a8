"""The recognizers in the tables of times."""

from typing import Dict, NamedTuple, Tuple

from mmatfr.zoo.models import config_path

__all__ = ['MODELS', 'TimedModel']


class TimedModel(NamedTuple):
    """A recognizer to time.

    Attributes:
        name (str): Name of its config.
        shape (tuple[int, int, int]): Size (T, H, W) of its clips, as in
            training, which is smaller than in testing; the frames of the 3D
            ResNet are half as wide.
        padding (str): The padded network to compare with: 'padded', as in the
            authors' code, for a 3D backbone with one pathway; otherwise
            'longest', a lower bound on the cost of padding.
    """

    name: str
    shape: Tuple[int, int, int]
    padding: str = 'padded'

    @property
    def config(self) -> str:
        """str: Path of the config."""
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
