"""Work-arounds for defects of the released upstream wheels.

Each function checks that its defect is there, mends it once at import of
``mmatfr`` and names the upstream thread. Nothing else in the package knows of
these defects, so an entry can go as soon as upstream has released a fix.

Two more facts of the same kind are handled by the requirements in
``setup.cfg``: mmaction2 1.2.0 imports ``importlib_metadata`` without declaring
it, and mmengine 0.10.7 needs ``pkg_resources``, which setuptools dropped in
version 81.
"""

import functools
import importlib.util
import inspect
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path
from pickle import UnpicklingError
from typing import Callable, List, Tuple, Union

from .atomic_write import atomic_open, write_bytes

__all__ = ['apply', 'require_mmcv']

_DRN = 'mmaction.models.localizers.drn'


def require_mmcv() -> None:
    """Asks for mmcv, which no requirement can name.

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


def provide_missing_drn() -> bool:
    """Makes ``import mmaction.models`` work where the wheel lacks ``drn``.

    The wheel of mmaction2 1.2.0 was built without the package
    ``mmaction.models.localizers.drn`` that ``localizers/__init__.py`` imports
    (open-mmlab/mmaction2#2714). The stand-in has the one imported name and
    reports the missing package when it is built.

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
    module.DRN = package.DRN = DRN
    sys.modules[package.__name__] = package
    sys.modules[module.__name__] = module
    return True


def allow_checkpoint_classes() -> bool:
    """Lets torch's weights-only loader read mmengine's own checkpoints.

    Since torch 2.6 ``torch.load`` refuses classes that are not on its list;
    mmengine stores its training log in every checkpoint as ``HistoryBuffer``,
    which holds numpy arrays and names functions of its own, and so does
    ``OneCycleLR``; neither ``--resume`` nor ``tools/test.py`` could read what
    training wrote (open-mmlab/mmengine#1655). The check stays on: just these
    classes, which hold data and run no code, and just these functions are put
    on the list.

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
    """What a checkpoint gets for ``getattr``: the functions it may name."""
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
        'what a checkpoint may name'
    )


def keep_checkpoints_whole() -> bool:
    """Keeps an old checkpoint until the new one is whole.

    mmengine writes checkpoints, results and ``last_checkpoint`` in place, and
    ``CheckpointHook`` with ``max_keep_ckpts`` or ``save_best`` deletes the old
    checkpoint before it writes the new one. A process that is killed, or a
    disk that is full, at that time loses both (mmengine 0.10.7; not reported).

    Returns:
        bool: Whether this mmengine does so.
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
    checkpoint_hook.open = atomic_open  # of `last_checkpoint` alone
    for name in ('_save_checkpoint_with_step', '_save_best_checkpoint'):
        setattr(
            CheckpointHook, name, _remove_last(getattr(CheckpointHook, name))
        )
    return True


def _remove_last(save: Callable) -> Callable:
    """Lets a method of ``CheckpointHook`` remove files when it has written."""

    @functools.wraps(save)
    def save_then_remove(self, *args, **kwargs) -> None:
        if not hasattr(self, 'file_backend'):  # a validation alone
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
            if path not in kept:  # a new one may have the name of an old one
                remove(path)

    return save_then_remove


class _RemoveLater:
    """A file backend of mmengine that only takes note of what to remove."""

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
    """Gives numpy the names that mmaction2 1.2.0 still uses.

    numpy 2 has removed ``np.Inf``, without which no pipeline of PoseC3D runs,
    and numpy 2.4 ``np.in1d`` and ``np.trapz``, which metrics use
    (mmaction2 1.2.0; not reported).

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
    """Gives moviepy 2 the module that mmaction2 1.2.0 imports from.

    moviepy 2 has no ``moviepy.editor``; its classes are in ``moviepy``. What
    mmaction2 says then is that moviepy should be installed (not reported).

    Returns:
        bool: Whether moviepy is there without the module.
    """
    spec = importlib.util.find_spec('moviepy')
    if spec is None or Path(spec.origin).with_name('editor.py').exists():
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

    The launcher of PyTorch ends in ``torch.cuda.set_device``, and the model
    is wrapped with the number of a GPU (mmengine 0.10.7; not reported). Where
    there is no GPU the processes talk over gloo, and the model stays where it
    is.

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


def check_checkpoints() -> bool:
    """Makes mmengine look at the checkpoints that it loads.

    It takes what is damaged, or of another model, with a traceback or no more
    than a warning, so that a test of the wrong weights ends in the accuracy of
    chance (mmengine 0.10.7). Here a file is compared with the hash that is
    known of it, wherever it is loaded, and a test wants all weights; only
    those of layers that sample may be missing, as in a checkpoint of
    mmaction2.

    Returns:
        bool: Whether it was told to.
    """
    from mmengine.runner import CheckpointLoader, Runner

    from .checkpoint import check_fit, load_local

    CheckpointLoader.register_scheme('', load_local, force=True)
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

    Those that set the mode of some parts themselves return None (mmaction2
    1.2.0; not reported), so that ``backbone.eval()`` in a chain is None, too.

    Returns:
        bool: True, as no backbone is built to find out.
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
            backbone.train = mend(backbone.train)
    return True


def apply() -> None:
    """Applies every work-around; called once by ``import mmatfr``."""
    require_mmcv()
    provide_missing_drn()
    provide_removed_names_of_numpy()
    provide_moviepy_editor()
    allow_checkpoint_classes()
    keep_checkpoints_whole()
    distribute_without_gpu()
    check_checkpoints()
    return_module_from_train()
