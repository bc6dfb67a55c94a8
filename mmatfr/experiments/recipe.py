"""Records what trainings, tests and other files were made from."""

import copy
import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, List, Tuple

from filelock import FileLock, Timeout
from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from mmatfr.atomic_write import write_text
from mmatfr.datasets import decode_every_time

__all__ = [
    'check_recipe',
    'in_turn',
    'make_once',
    'record_recipe',
    'recipe_of_test',
    'recipe_of_training',
]

_FILE = 'recipe.json'


def recipe_of_training(cfg: Config, **more: Any) -> dict:
    """Returns what the result of a training depends on.

    Args:
        cfg (Config): The config.
        **more: What the config does not have, such as the origin of the data.

    Returns:
        dict: The recipe, as it is read from JSON.
    """
    parts = 'train_cfg', 'optim_wrapper', 'param_scheduler', 'custom_hooks'
    loader = cfg.train_dataloader
    return _as_json(
        dict(
            model=_model(cfg),
            **{part: cfg.get(part) for part in parts},
            train_dataloader=dict(
                batch_size=loader.batch_size,
                dataset=dict(pipeline=_pipeline(loader)),
            ),
            **more,
        )
    )


def recipe_of_test(cfg: Config, **more: Any) -> dict:
    """Returns what the result of a test depends on.

    Args:
        cfg (Config): The config.
        **more: What the config does not have, such as the weights.

    Returns:
        dict: The recipe, as it is read from JSON.
    """
    return _as_json(
        dict(
            model=_model(cfg),
            pipeline=_pipeline(cfg.test_dataloader),
            test_evaluator=cfg.test_evaluator,
            **more,
        )
    )


def record_recipe(folder: Path, recipe: dict) -> None:
    """Writes the recipe of a training into its folder.

    Args:
        folder (Path): The folder, created if needed.
        recipe (dict): The recipe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / _FILE, recipe)


def check_recipe(folder: Path, recipe: dict) -> None:
    """Checks that a training was started with a recipe.

    What the folder has no record of is not checked.

    Args:
        folder (Path): The folder of the training.
        recipe (dict): The recipe.

    Raises:
        ValueError: If it was started with another recipe.
    """
    if not (folder / _FILE).is_file():
        return
    old = _read(folder / _FILE)
    old['model']['backbone'].pop('channels_last', None)
    new = {part: value for part, value in recipe.items() if part in old}
    for name, was, wanted in _differences(old, new):
        raise ValueError(
            f'{str(folder)!r} has a training with {name}={was!r} instead of '
            f'{wanted!r}; remove this folder, or use another --work-dir'
        )


def make_once(path: Path, recipe: dict, make: Callable[[], object]) -> None:
    """Makes a file if it is missing or was made with another recipe.

    The recipe is recorded beside the file; a file without a record is kept.
    Of several processes one makes it, and the others wait.

    Args:
        path (Path): The file; its folder is created if needed.
        recipe (dict): What the file depends on.
        make (Callable): Writes the file.
    """
    record = path.with_name(f'recipe_{path.stem}.json')

    def is_made() -> bool:
        return path.is_file() and (
            not record.is_file() or _read(record) == recipe
        )

    if is_made():  # perhaps in a folder that cannot be written to
        return
    with in_turn(path):
        if is_made():
            return
        # An interruption leaves no file beside the record of another.
        path.unlink(missing_ok=True)
        _write(record, recipe)
        make()


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Waits until no other process makes the same file or folder.

    The lock is a hidden file beside it, and ends with its process.

    Args:
        path (Path): The file or folder; the one above is created if needed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f'.{path.name}.lock'))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print_log(f'waiting for another process that makes {path}', 'current')
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _model(cfg: Config) -> dict:
    model = copy.deepcopy(cfg.model)
    # The memory layout follows the device, so that a training moves to others.
    model.backbone.pop('channels_last', None)
    return model


def _pipeline(loader: ConfigDict) -> List[dict]:
    # The clips are the same however often a video is decoded.
    return decode_every_time(loader.dataset.pipeline)


def _as_json(recipe: dict) -> dict:
    return json.loads(json.dumps(recipe))


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding='utf-8'))


def _write(path: Path, recipe: dict) -> None:
    write_text(path, json.dumps(recipe, indent=2) + '\n')


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
