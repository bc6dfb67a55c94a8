"""Adaptive temporal feature resolutions for the recognizers of mmaction2.

Importing the package registers everything it has with mmaction2.
"""

from . import compat

compat.apply()

from . import apis, cost, datasets, engine, evaluation, models  # noqa: E402
from .version import __version__  # noqa: E402
from .zoo import create_model, list_models  # noqa: E402

__all__ = [
    '__version__',
    'apis',
    'cost',
    'create_model',
    'datasets',
    'engine',
    'evaluation',
    'list_models',
    'models',
]
