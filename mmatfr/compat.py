"""Work-arounds for defects in released wheels of dependencies.

Each function checks that the defect is present, fixes it once when ``mmatfr``
is imported, and names the upstream report. Nothing else in the package depends
on these defects, so a function can be deleted as soon as upstream releases a
fix.

The requirements in ``setup.cfg`` handle two more defects: mmaction2 1.2.0
imports ``importlib_metadata`` without declaring it, and mmengine 0.10.7 needs
``pkg_resources``, which setuptools dropped in version 81.
"""

import functools
import importlib.util
import inspect
import sys
import types
import warnings
from importlib.machinery import ModuleSpec
from pathlib import Path
from pickle import UnpicklingError
from typing import Callable, List, Tuple, Union

from .atomic_write import atomic_open, write_bytes

__all__ = ['apply', 'require_mmcv']

_DRN = 'mmaction.models.localizers.drn'


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


def allow_checkpoint_classes() -> bool:
    """Lets torch's weights-only loader read mmengine's checkpoints.

    Since torch 2.6, ``torch.load`` rejects classes that are not on a list.
    mmengine stores its training log in every checkpoint as ``HistoryBuffer``,
    which contains numpy arrays and refers to its own functions; ``OneCycleLR``
    does the same. Neither ``--resume`` nor ``tools/test.py`` can read such
    checkpoints (open-mmlab/mmengine#1655). The check stays on: only these
    classes, which contain data and run no code, and these functions are added
    to the list.

    Returns:
        bool: Whether this torch has the list.
    """
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer
    from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

    if not hasattr(torch.serialization, 'add_safe_globals'):
        return False
    multiarray = getattr(np, '_core', None) or np.core
    multiarray = multiarray.multiarray
    reconstruct, scalar = multiarray._reconstruct, multiarray.scalar
    allowed = [
        HistoryBuffer,
        OneCycleParamScheduler,
        np.ndarray,
        np.dtype,
        (_get_function, 'builtins.getattr'),
    ]
    # numpy < 2 calls the package `numpy.core`, numpy >= 2 `numpy._core`; a
    # checkpoint carries the name of the numpy that wrote it.
    for package in ('numpy.core', 'numpy._core'):
        allowed += [
            (reconstruct, f'{package}.multiarray._reconstruct'),
            (scalar, f'{package}.multiarray.scalar'),
        ]
    allowed += [
        type(np.dtype(kind))
        for kind in (np.bool_, np.int32, np.int64, np.float32, np.float64)
    ]
    torch.serialization.add_safe_globals(allowed)
    return True


def _get_function(owner: type, name: str) -> Callable:
    """Replaces ``getattr`` in a checkpoint; returns allowed functions only."""
    from mmengine.logging import HistoryBuffer
    from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

    for cls, names in (
        (HistoryBuffer, ('min', 'max', 'current', 'mean')),
        (OneCycleParamScheduler, ('_annealing_cos', '_annealing_linear')),
    ):
        if owner is cls and name in names:
            return getattr(owner, name)
    raise UnpicklingError(
        f'{owner!r} and its {name!r} are not on the list of '
        'allowed names in a checkpoint'
    )


def keep_checkpoints_whole() -> bool:
    """Keeps an old checkpoint until the new one is complete.

    mmengine writes checkpoints, results and ``last_checkpoint`` in place, and
    ``CheckpointHook`` with ``max_keep_ckpts`` or ``save_best`` deletes the old
    checkpoint before it writes the new one. If the process is killed in
    between, or the disk is full, both are lost (mmengine 0.10.7; not
    reported).

    Returns:
        bool: Whether this mmengine has the defect.
    """
    from mmengine.fileio import LocalBackend
    from mmengine.hooks import CheckpointHook, checkpoint_hook

    if 'os.replace' in inspect.getsource(LocalBackend):
        return False

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(filepath, obj)

    def put_text(
        self, obj: str, filepath: Union[str, Path], encoding: str = 'utf-8'
    ) -> None:
        put(self, obj.encode(encoding), filepath)

    LocalBackend.put, LocalBackend.put_text = put, put_text
    checkpoint_hook.open = atomic_open  # used for `last_checkpoint` only
    for name in ('_save_checkpoint_with_step', '_save_best_checkpoint'):
        setattr(
            CheckpointHook, name, _remove_last(getattr(CheckpointHook, name))
        )
    return True


def _remove_last(save: Callable) -> Callable:
    """Makes a method of ``CheckpointHook`` remove files after writing."""

    @functools.wraps(save)
    def save_then_remove(self, *args, **kwargs) -> None:
        if not hasattr(self, 'file_backend'):  # validation without training
            return save(self, *args, **kwargs)
        backend = self.file_backend
        self.file_backend = _RemoveLater(backend)
        try:
            save(self, *args, **kwargs)
            outdated = self.file_backend.outdated
        finally:
            self.file_backend = backend
        kept = {
            self.last_ckpt,
            getattr(self, 'best_ckpt_path', None),
            *getattr(self, 'best_ckpt_path_dict', {}).values(),
        }
        for remove, path in outdated:
            if path not in kept:  # a new file may have the name of an old one
                remove(path)

    return save_then_remove


class _RemoveLater:
    """A file backend of mmengine that records files to be removed."""

    def __init__(self, backend) -> None:
        self._backend = backend
        self.outdated: List[Tuple[Callable, str]] = []

    def __getattr__(self, name: str):
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self.outdated.append((self._backend.remove, path))

    def rmtree(self, path: str) -> None:
        self.outdated.append((self._backend.rmtree, path))


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


def distribute_without_gpu() -> bool:
    """Lets mmengine train in several processes on CPUs.

    The launcher of PyTorch calls ``torch.cuda.set_device``, and the model is
    wrapped with the index of a GPU (mmengine 0.10.7; not reported). Without a
    GPU the processes now communicate over gloo, and the model stays on the
    CPU.

    Returns:
        bool: Whether there is no GPU.
    """
    import torch
    from mmengine.device import get_device
    from mmengine.dist import utils
    from mmengine.model import MMDistributedDataParallel

    if get_device() != 'cpu':
        return False

    @functools.wraps(utils._init_dist_pytorch)
    def init(backend: str, *args, **kwargs) -> None:
        kwargs.pop('init_backend', None)
        torch.distributed.init_process_group(backend='gloo', **kwargs)

    @functools.wraps(MMDistributedDataParallel.__init__)
    def wrap(self, module, *args, **kwargs) -> None:
        kwargs.pop('device_ids', None)
        original(self, module, *args, **kwargs)

    original = MMDistributedDataParallel.__init__
    utils._init_dist_pytorch = init
    MMDistributedDataParallel.__init__ = wrap
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


def check_checkpoints() -> bool:
    """Makes mmengine check the checkpoints that it loads.

    mmengine loads the weights of another model with only a warning, so a test
    of wrong weights reports chance accuracy, and a damaged file gives a
    traceback (mmengine 0.10.7). With this work-around, every loaded file is
    compared with its known hash, and a test requires all weights. Only those
    of sampling layers may be missing, as in a checkpoint of mmaction2.

    Returns:
        bool: Whether the check was added.
    """
    from mmengine.runner import CheckpointLoader, Runner, checkpoint

    from .checkpoint import check_fit, load_local, load_remote

    CheckpointLoader.register_scheme('', load_local, force=True)
    CheckpointLoader.register_scheme(
        ('http://', 'https://'), load_remote, force=True
    )
    checkpoint.load_from_http = load_remote  # for named schemes
    load, test = Runner.load_checkpoint, Runner.test

    @functools.wraps(load)
    def load_and_check(self, filename: str, *args, **kwargs) -> dict:
        checkpoint = load(self, filename, *args, **kwargs)
        if getattr(self, '_is_testing', False):
            model = getattr(self.model, 'module', self.model)
            weights = checkpoint.get('state_dict', checkpoint)
            check_fit(
                model.state_dict(),
                {k.removeprefix('module.'): v for k, v in weights.items()},
                filename,
                self.cfg.filename or type(model).__name__,
                base=True,
            )
        return checkpoint

    @functools.wraps(test)
    def test_what_was_trained(self) -> dict:
        self._is_testing = True
        try:
            return test(self)
        finally:
            self._is_testing = False

    Runner.load_checkpoint = load_and_check
    Runner.test = test_what_was_trained
    return True


def return_module_from_train() -> bool:
    """Makes ``train()`` of mmaction2's backbones return the module.

    Backbones that override ``train()`` return None (mmaction2 1.2.0; not
    reported), and so does ``backbone.eval()`` in a chain of calls.

    Returns:
        bool: True, because checking would require building a backbone.
    """
    from mmaction.models import backbones

    def mend(train: Callable) -> Callable:
        @functools.wraps(train)
        def train_and_return(self, mode: bool = True):
            train(self, mode)
            return self

        return train_and_return

    for backbone in vars(backbones).values():
        if isinstance(backbone, type) and 'train' in vars(backbone):
            type.__setattr__(backbone, 'train', mend(vars(backbone)['train']))
    return True


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
