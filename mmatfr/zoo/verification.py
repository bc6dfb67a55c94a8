"""Tests releases and compares them with their published figures."""

import json
import re
import tempfile
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from mmengine.config import Config
from mmengine.runner import Runner

from mmatfr.apis import build_recognizer, check_weights, load_config
from mmatfr.checkpoint import fetch, open_checkpoint
from mmatfr.integrity import check_hash

from .metafile import read_metafile
from .models import config_path
from .models import find_entry as zoo_entry

__all__ = ['check_release', 'find_entry', 'read_metrics', 'test_release']

_RELEASE = re.compile(r'(?P<name>.+)_\d{8}-[0-9a-f]{8}')


def test_release(
    cfg: Config, checkpoint: Path, options: Optional[Mapping] = None
) -> Dict[str, float]:
    """Tests weights on the test split of a config.

    Args:
        cfg (Config): The config.
        checkpoint (Path): The weights, ``.pth``.
        options (Mapping, optional): Settings that override the config.
            Defaults to None.

    Returns:
        dict[str, float]: The metrics.
    """
    cfg = Config(cfg.to_dict(), filename=cfg.filename)
    cfg.merge_from_dict(dict(options or {}))
    cfg.load_from = str(checkpoint)
    with tempfile.TemporaryDirectory() as work_dir:
        cfg.work_dir = work_dir
        return Runner.from_cfg(cfg).test()


vars(test_release)['__test__'] = False  # not a test of pytest


def read_metrics(log: str) -> Dict[str, float]:
    """Reads the metrics from a log of tools/test.py.

    Args:
        log (str): The JSON file, ``<work_dir>/<time>/<time>.json``.

    Returns:
        dict[str, float]: The metrics.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no metrics.
    """
    try:
        lines = Path(log).read_text(encoding='utf-8').strip().splitlines()
        metrics = json.loads(lines[-1])
    except FileNotFoundError:
        raise
    except (ValueError, IndexError) as error:
        raise ValueError(
            f'{log!r} is not a log of tools/test.py; give its .json file'
        ) from error
    if not isinstance(metrics, dict) or 'acc/top1' not in metrics:
        raise ValueError(
            f'{log!r} has no acc/top1; give the .json file of tools/test.py'
        )
    return metrics


def find_entry(path: str) -> Optional[Dict[str, Any]]:
    """Finds the published figures of a release.

    Args:
        path (str): Path of one of its files.

    Returns:
        dict: The entry next to the file, or else that of the zoo; None if
        there is none.
    """
    file = Path(path)
    beside = read_metafile(file.with_suffix('.yml'))['Models']
    match = _RELEASE.fullmatch(file.stem)
    zoo = zoo_entry(match['name']) if match else {}
    for entry in (*beside, zoo):
        if file.name in entry.get('SHA256', {}):
            return entry
    return None


def check_release(
    path: str, config: Optional[str] = None
) -> Tuple[Config, Dict[str, Any]]:
    """Checks that a release is the published file and matches its config.

    Args:
        path (str): Path or URL of its ``.pth`` or ``.safetensors``.
        config (str, optional): The config, by path or name. Defaults to None,
            the one in the name of the file.

    Returns:
        tuple: The config and the entry.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the hash differs, or the weights do not match.
    """
    local = fetch(path)
    entry = find_entry(local)
    if entry is None:
        raise ValueError(
            f'{path!r} is unknown: neither a .yml next to it nor a metafile '
            'of the zoo has its SHA-256'
        )
    check_hash(local, entry['SHA256'][Path(local).name])
    weights, _ = open_checkpoint(local)
    cfg = load_config(config_path(config or entry['Name']))
    check_weights(build_recognizer(cfg.model), weights, path, cfg.filename)
    return cfg, entry
