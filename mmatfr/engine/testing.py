"""Tests of recognizers that sample."""

from typing import Any, Dict, List, Sequence, Tuple

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.progress import Progress

from mmatfr.apis import load_weights, unwrap
from mmatfr.cli import make_progress
from mmatfr.sgs import sgs_layers

from .hooks import TemporalResolutionHook

__all__ = ['load_runner', 'measure_resolution']


def measure_resolution(
    cfg: Config, checkpoint: str, split: str = 'test'
) -> Tuple[Dict[str, Any], List[Dict], Sequence[str]]:
    """Tests a recognizer that samples, and shows the progress.

    Args:
        cfg (Config): Its config; changed in place.
        checkpoint (str): Its checkpoint.
        split (str): 'test' or 'val', the data loader of the config. Defaults
            to 'test'.

    Returns:
        tuple: The metrics; the videos, as :mod:`mmatfr.cost.statistics` takes
        them; and the names of the classes, if known.

    Raises:
        ValueError: If the config does not have the split, nothing samples, or
            the weights are not those of the recognizer.
    """
    _test_split(cfg, split)
    runner = load_runner(cfg, checkpoint)
    hook = _watch(runner)
    with make_progress() as progress:
        runner.register_hook(
            _ProgressHook(progress, len(runner.test_dataloader))
        )
        metrics = runner.test()
    metainfo = getattr(runner.test_dataloader.dataset, 'metainfo', {})
    return metrics, hook.videos, metainfo.get('classes') or ()


def load_runner(cfg: Config, checkpoint: str) -> Runner:
    """Builds the runner of a recognizer that samples, and loads its weights.

    Args:
        cfg (Config): Its config; changed in place.
        checkpoint (str): Its checkpoint.

    Returns:
        Runner: The runner.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If nothing samples, or the weights, including those of the
            sampling layers, are not those of the recognizer.
    """
    cfg.update(
        log_level='WARNING',
        load_from=None,
        resume=False,
    )
    runner = Runner.from_cfg(cfg)
    recognizer = unwrap(runner.model)
    if not sgs_layers(recognizer):
        raise ValueError(
            f'nothing samples in {cfg.filename!r}; use a config with sgs'
        )
    load_weights(recognizer, cfg, checkpoint)
    return runner


def _test_split(cfg: Config, split: str) -> None:
    """Makes a config test one of its splits."""
    for part in ('dataloader', 'evaluator'):
        key = f'{split}_{part}'
        if cfg.get(key) is None:
            raise ValueError(
                f'{cfg.filename!r} has no {key}; add it, or choose another '
                '--split'
            )
        cfg[f'test_{part}'] = cfg[key]
    cfg.test_cfg = dict(type='TestLoop')


def _watch(runner: Runner) -> TemporalResolutionHook:
    """Finds the hook for the temporal resolution, or adds it."""
    for hook in runner.hooks:
        if isinstance(hook, TemporalResolutionHook):
            return hook
    hook = TemporalResolutionHook()
    runner.register_hook(hook)
    return hook


class _ProgressHook(Hook):
    """Advances a progress bar after every test batch."""

    def __init__(self, progress: Progress, batches: int) -> None:
        self.progress = progress
        self.task = progress.add_task('test', total=batches)

    def after_test_iter(self, *args, **kwargs) -> None:
        """Advances the progress bar."""
        self.progress.advance(self.task)
