"""Work-arounds for defects in released wheels of dependencies.

Each function checks that the defect is present, fixes it once when ``mmatfr``
is imported, and names the upstream report. Nothing else in the package depends
on these defects, so a function can be deleted as soon as upstream releases a
fix.

The requirements in ``setup.cfg`` handle two more defects: mmaction2 1.2.0
imports ``importlib_metadata`` without declaring it, and mmengine 0.10.7 needs
``pkg_resources``, which setuptools dropped in version 81.
"""

import importlib.util

from .checkpoints import (
    allow_checkpoint_classes,
    check_checkpoints,
    keep_checkpoints_whole,
)
from .execution import distribute_without_gpu, return_module_from_train
from .packages import (
    find_weights_without_torchvision,
    hide_warnings_about_wheels,
    provide_missing_drn,
    provide_moviepy_editor,
    provide_removed_names_of_numpy,
)

__all__ = ['apply', 'require_mmcv']


def require_mmcv() -> None:
    """Checks that mmcv is installed, which no requirement can express.

    Two distributions install the module ``mmcv``: ``mmcv``, which has to be
    compiled, and ``mmcv-lite``. A requirement on one would overwrite the
    other, so the choice stays with the user.

    Raises:
        ImportError: If neither is installed.
    """
    if importlib.util.find_spec('mmcv') is None:
        raise ImportError(
            'mmatfr needs the module `mmcv`, which is not installed. '
            'Install the wheel with `pip install "mmcv-lite==2.1.0"`, or, for '
            'the compiled operators, the full package with '
            '`mim install "mmcv>=2.0.0rc4,<2.2.0"`; not both.'
        )


def apply() -> None:
    """Applies all work-arounds; called once by ``import mmatfr``."""
    require_mmcv()
    hide_warnings_about_wheels()
    provide_missing_drn()
    provide_removed_names_of_numpy()
    provide_moviepy_editor()
    allow_checkpoint_classes()
    keep_checkpoints_whole()
    distribute_without_gpu()
    find_weights_without_torchvision()
    check_checkpoints()
    return_module_from_train()
