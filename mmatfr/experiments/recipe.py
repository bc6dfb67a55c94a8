"""Records what a training was started with in its folder."""

import copy
import json
from pathlib import Path
from typing import Any, Iterator, Tuple

from mmengine.config import Config

from mmatfr.atomic_write import write_text

__all__ = ['check_recipe', 'record_recipe']

_FILE = 'recipe.json'
_PARTS = (
    'model',
    'train_cfg',
    'optim_wrapper',
    'param_scheduler',
    'custom_hooks',
)


def record_recipe(cfg: Config) -> None:
    """Writes the recipe of a config into the folder of its training.

    Args:
        cfg (Config): The config, with the folder.
    """
    path = Path(cfg.work_dir, _FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(_recipe(cfg), indent=2) + '\n')


def check_recipe(cfg: Config) -> None:
    """Checks that a training was started with the recipe of a config.

    Folders without a record are not checked.

    Args:
        cfg (Config): The config, with the folder of the training.

    Raises:
        ValueError: If it was started with another recipe.
    """
    path = Path(cfg.work_dir, _FILE)
    if not path.is_file():
        return
    old = json.loads(path.read_text(encoding='utf-8'))
    old['model']['backbone'].pop('channels_last', None)
    # As it would be read again.
    new = json.loads(json.dumps(_recipe(cfg)))
    for name, was, wanted in _differences(old, new):
        raise ValueError(
            f'{cfg.work_dir!r} has a training with {name}={was!r} instead of '
            f'{wanted!r}; remove this folder, or use another --work-dir'
        )


def _recipe(cfg: Config) -> dict:
    recipe = {part: cfg.get(part) for part in _PARTS}
    # The memory layout follows the device, so that a training moves to others.
    recipe['model'] = copy.deepcopy(cfg.model)
    recipe['model'].backbone.pop('channels_last', None)
    loader = cfg.train_dataloader
    recipe['train_dataloader'] = dict(
        batch_size=loader.batch_size,
        dataset=dict(pipeline=loader.dataset.pipeline),
    )
    return recipe


def _differences(
    old: Any, new: Any, name: str = ''
) -> Iterator[Tuple[str, Any, Any]]:
    """Yields the name and both values of what differs."""
    if isinstance(old, list) and isinstance(new, list):
        if len(old) == len(new):
            old, new = dict(enumerate(old)), dict(enumerate(new))
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            inner = f'{name}.{key}' if name else str(key)
            yield from _differences(old.get(key), new.get(key), inner)
    elif old != new:
        yield name, old, new
