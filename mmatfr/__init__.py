"""Adaptive temporal feature resolutions for the recognizers of mmaction2.

Importing the package registers its modules with mmaction2. ``mmatfr.sgs``,
``mmatfr.ragged`` and ``mmatfr.deploy`` also work without mmaction2.
"""

from importlib.util import find_spec

from .version import __version__

__all__ = [
    '__version__',
    'apis',
    'cost',
    'create_model',
    'datasets',
    'engine',
    'evaluation',
    'insert',
    'list_models',
    'models',
    'remove',
    'set_num_bins',
]

if find_spec('mmaction') is not None:
    from . import compat

    compat.apply()

    from . import apis, cost, datasets, engine, evaluation, models
    from .apis import insert, remove, set_num_bins
    from .zoo import create_model, list_models
else:

    def __getattr__(name: str):
        if name in __all__:
            raise ImportError(
                f'mmatfr.{name} needs mmaction2, which is not installed; pip '
                'install "mmaction2>=1.2.0,<1.3" "mmcv-lite==2.1.0"'
            )
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
