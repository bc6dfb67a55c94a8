"""The networks of the rows: configs with and without sampling."""

import copy
from dataclasses import dataclass
from functools import cache

from mmengine.config import Config
from mmengine.device import get_device

from mmatfr.zoo.models import config_path

__all__ = ['MODELS', 'Model']


@dataclass(frozen=True)
class Model:
    """A recognizer for comparisons.

    Attributes:
        full (str): Name of its config without sampling.
        recipe (str): Name of its config with sampling.
    """

    full: str
    recipe: str

    def full_config(self) -> Config:
        """Reads the config without sampling.

        Returns:
            Config: The config with the class and memory layout of the recipe
            on this device, so that rows differ only in sampling.
        """
        cfg = copy.deepcopy(_read(self.full))
        cfg.model.backbone.update(
            type=self.recipe_config().model.backbone.type,
            channels_last=get_device() == 'cpu',
        )
        return cfg

    def recipe_config(self) -> Config:
        """Reads the config with sampling."""
        return copy.deepcopy(_read(self.recipe))


@cache
def _read(name: str) -> Config:
    """Reads a config once, for which mmengine reads many files."""
    return Config.fromfile(config_path(name))


MODELS = {
    'resnet3d': Model(
        'resnet3d-mini-dense_1xb12-16x2x1-12e_tempo-small-rgb',
        'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb',
    ),
    'x3d': Model(
        'x3d_xxs_1xb12-16x2x1-24e_tempo-small-rgb',
        'x3d_xxs-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb',
    ),
    'slowfast': Model(
        'slowfast-mini_1xb12-16x2x1-24e_tempo-small-rgb',
        'slowfast-mini-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb',
    ),
    'x3d-32': Model(
        'x3d_xxs_1xb12-16x2x1-24e_tempo-small-rgb',
        'x3d_xxs-atfr-path_1xb12-32x1x1-8e_tempo-small-rgb',
    ),
    'slowfast-32': Model(
        'slowfast-mini-dense_1xb12-16x2x1-24e_tempo-small-rgb',
        'slowfast-mini-dense-atfr-path_1xb12-32x1x1-8e_tempo-small-rgb',
    ),
    'tsm': Model(
        'tsm-r18_1xb12-16x2x1-8e_tempo-small-rgb',
        'tsm-r18-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb',
    ),
}
