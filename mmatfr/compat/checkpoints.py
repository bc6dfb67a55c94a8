"""Checkpoints of mmengine: read, kept whole and checked."""

import functools
import inspect
from pathlib import Path
from pickle import UnpicklingError
from typing import Callable, List, Optional, Tuple, Union

from ..atomic_write import atomic_open, atomic_path, write_bytes


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

    mmengine writes checkpoints, results, configs and ``last_checkpoint`` in
    place, and ``CheckpointHook`` with ``max_keep_ckpts`` or ``save_best``
    deletes the old checkpoint before it writes the new one. If the process is
    killed in between, or the disk is full, both are lost (mmengine 0.10.7; not
    reported).

    Returns:
        bool: Whether this mmengine has the defect.
    """
    from mmengine.config import Config
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

    dump = Config.dump

    @functools.wraps(dump)
    def dump_whole(
        self, file: Optional[Union[str, Path]] = None
    ) -> Optional[str]:
        if file is None:
            return dump(self)
        with atomic_path(file) as part:
            return dump(self, part)

    LocalBackend.put, LocalBackend.put_text = put, put_text
    Config.dump = dump_whole
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

    from ..checkpoint import check_fit, load_from_local, load_from_url

    CheckpointLoader.register_scheme('', load_from_local, force=True)
    CheckpointLoader.register_scheme(
        ('http://', 'https://'), load_from_url, force=True
    )
    checkpoint.load_from_http = load_from_url  # for named schemes
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
