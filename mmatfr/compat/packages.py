"""Modules, names and files that released wheels lack."""

import importlib.util
import sys
import types
import warnings
from importlib.machinery import ModuleSpec
from pathlib import Path

_DRN = 'mmaction.models.localizers.drn'


def hide_warnings_about_wheels() -> bool:
    """Hides warnings of one wheel about another.

    In each process mmcv-lite warns about an operator that no recognizer needs.
    mmengine and the pipelines of mmaction2 warn about ``pkg_resources`` and
    ``FileClient``, which they use themselves (mmengine 0.10.7, mmaction2
    1.2.0; not reported). Existing filters take precedence.

    Returns:
        bool: True, because the warnings appear later.
    """
    for message in (
        'Fail to import ``MultiScaleDeformableAttention``',
        'pkg_resources is deprecated',
    ):
        warnings.filterwarnings('ignore', message, UserWarning, append=True)
    from mmengine.fileio import file_client

    file_client.print_log = lambda *args, **kwargs: None
    return True


def provide_missing_drn() -> bool:
    """Makes ``import mmaction.models`` work without ``drn``.

    The wheel of mmaction2 1.2.0 was built without the package
    ``mmaction.models.localizers.drn`` that ``localizers/__init__.py`` imports
    (open-mmlab/mmaction2#2714). The stand-in provides the imported name and
    raises an error when it is instantiated.

    Returns:
        bool: Whether the stand-in was put in place.
    """
    spec = importlib.util.find_spec('mmaction')
    if spec is None or spec.origin is None:
        return False
    folder = Path(spec.origin).parent / 'models' / 'localizers' / 'drn'
    if folder.exists() or _DRN in sys.modules:
        return False

    class DRN:
        def __init__(self, *args, **kwargs) -> None:
            raise ImportError(
                'The installed mmaction2 wheel does not contain the localizer '
                'DRN (open-mmlab/mmaction2#2714). Install mmaction2 from its '
                'repository to use it.'
            )

    package = types.ModuleType(_DRN)
    package.__path__ = []
    package.__spec__ = ModuleSpec(_DRN, None, is_package=True)
    module = types.ModuleType(f'{_DRN}.drn')
    module.__spec__ = ModuleSpec(f'{_DRN}.drn', None)
    vars(module)['DRN'] = vars(package)['DRN'] = DRN
    sys.modules[package.__name__] = package
    sys.modules[module.__name__] = module
    return True


def provide_removed_names_of_numpy() -> bool:
    """Restores names of numpy that mmaction2 1.2.0 uses.

    numpy 2 removed ``np.Inf``, which all pipelines of PoseC3D use, and numpy
    2.4 removed ``np.in1d`` and ``np.trapz``, which metrics use (mmaction2
    1.2.0; not reported).

    Returns:
        bool: Whether a name was missing.
    """
    import numpy as np

    missing = False
    for old, new in (('Inf', 'inf'), ('in1d', 'isin'), ('trapz', 'trapezoid')):
        if not hasattr(np, old):
            setattr(np, old, getattr(np, new))
            missing = True
    return missing


def provide_moviepy_editor() -> bool:
    """Provides the module of moviepy that mmaction2 1.2.0 imports.

    moviepy 2 has no ``moviepy.editor``; its classes are in ``moviepy``.
    mmaction2 then asks to install moviepy (not reported).

    Returns:
        bool: Whether moviepy is installed without the module.
    """
    spec = importlib.util.find_spec('moviepy')
    if (
        spec is None
        or spec.origin is None
        or Path(spec.origin).with_name('editor.py').exists()
    ):
        return False

    class Editor(types.ModuleType):
        def __getattr__(self, name: str):
            return getattr(importlib.import_module('moviepy'), name)

    editor = Editor('moviepy.editor')
    editor.__spec__ = ModuleSpec('moviepy.editor', None)
    sys.modules['moviepy.editor'] = editor
    return True


def find_weights_without_torchvision() -> bool:
    """Makes ``torchvision://resnet50`` work without torchvision.

    Configs of mmaction2 start from ImageNet weights. mmengine has a list of
    their URLs, but reads it only if torchvision can be imported (mmengine
    0.10.7; not reported).

    Returns:
        bool: Whether torchvision is missing.
    """
    import mmengine
    from mmengine.runner import checkpoint

    if importlib.util.find_spec('torchvision') is not None:
        return False
    urls = Path(mmengine.__file__).parent / 'hub' / 'torchvision_0.12.json'
    checkpoint.get_torchvision_models = lambda: mmengine.load(urls)
    return True
