"""Models by name: configs of the model zoo, and recognizers from them."""

import fnmatch
import logging
import os.path as osp
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Set

from mmaction.models.recognizers import BaseRecognizer
from mmengine.logging import print_log

from mmatfr.apis import build_recognizer, check_weights, load_config
from mmatfr.checkpoint import open_checkpoint
from mmatfr.sgs import sgs_layers

from .metafile import read_metafile

__all__ = [
    'config_path',
    'create_model',
    'find_checkpoint',
    'find_configs',
    'find_entry',
    'list_models',
    'released_weights',
    'zoo_root',
]

_PACKAGE = Path(__file__).resolve().parents[1]
RELEASED = 'released'
# The classification layer, the last one of the head.
_CLASSIFIER = re.compile(r'cls_head\.(fc_cls|fc2)\.(weight|bias)')
_SAMPLING = re.compile(r'(.*\.)?sgs\.[\w.]+')


def zoo_root() -> Path:
    """Finds the folder of configs, tools and metafiles.

    Returns:
        Path: ``.mim`` of an installed package, or the root of a clone.

    Raises:
        FileNotFoundError: If the package has been installed without them.
    """
    for root in (_PACKAGE / '.mim', _PACKAGE.parent):
        if (root / 'model-index.yml').is_file():
            return root
    raise FileNotFoundError(
        f'mmatfr is installed without its configs: neither '
        f'{_PACKAGE / ".mim"} nor {_PACKAGE.parent} has model-index.yml; '
        'install a wheel, or a clone with `pip install -e`'
    )


@lru_cache
def find_configs() -> Mapping[str, Path]:
    """Finds the configs of the model zoo.

    Returns:
        Mapping[str, Path]: The path of each config by name, sorted by name.
    """
    paths = zoo_root().glob('configs/recognition/*/*.py')
    return {path.stem: path for path in sorted(paths, key=lambda p: p.stem)}


def config_path(name: str) -> str:
    """Finds a config by name, or by path.

    Args:
        name (str): Name of a model, with or without ``.py``, or the path of a
            config.

    Returns:
        str: The path.

    Raises:
        FileNotFoundError: If there is no such config.
    """
    if osp.isfile(name):
        return name
    stem = _name_of(name)
    configs = find_configs()
    if stem not in configs:
        raise FileNotFoundError(
            f'{name!r} is neither a config file nor a model of the zoo; '
            'mmatfr.list_models() has the names'
        )
    return str(configs[stem])


def _name_of(config: str) -> str:
    """Returns the name of a model, given it or the path of its config."""
    return Path(config).name.removesuffix('.py')


def list_models(pattern: str = '*', released: bool = False) -> List[str]:
    """Lists the models of the zoo.

    Args:
        pattern (str): Wildcard pattern for the names. Defaults to '*'.
        released (bool): Whether to list only models with released weights.
            Defaults to False.

    Returns:
        list[str]: The names, which are those of the configs.

    Examples:
        >>> import mmatfr
        >>> mmatfr.list_models('x3d_s-atfr*kinetics600*')
        ['x3d_s-atfr_8xb16-13x6x1-300e_kinetics600-rgb']
    """
    names = fnmatch.filter(find_configs(), pattern)
    if released:
        have = _released()
        names = [name for name in names if name in have]
    return names


def _released() -> Set[str]:
    names = set()
    for folder in {config.parent for config in find_configs().values()}:
        try:
            models = read_metafile(folder / 'metafile.yml')['Models']
        except ValueError as error:  # affects one family only
            print_log(str(error), logger='current', level=logging.WARNING)
        else:
            names |= {entry['Name'] for entry in models if 'Weights' in entry}
    return names


def find_entry(name: str) -> Dict[str, Any]:
    """Finds the entry of a model in its metafile.

    Args:
        name (str): Its name.

    Returns:
        dict: The entry, empty if the zoo has no such model.

    Raises:
        ValueError: If the metafile is damaged or cut short.
    """
    config = find_configs().get(name)
    if config is None:
        return {}
    path = config.with_name('metafile.yml')
    entries = {e['Name']: e for e in read_metafile(path)['Models']}
    if name not in entries:
        raise ValueError(
            f'the metafile {str(path)!r} has no entry of {name!r}; it may be '
            'cut short, get it again'
        )
    return entries[name]


def released_weights(name: str) -> Optional[str]:
    """Finds the released weights of a model.

    Args:
        name (str): Its name, or the path of its config.

    Returns:
        str: Path or URL, or None if there are none.

    Raises:
        ValueError: If the metafile is damaged or cut short.
    """
    weights = find_entry(_name_of(name)).get('Weights')
    if weights is None or '://' in weights:
        return weights
    return str(zoo_root() / weights)


def find_checkpoint(config: str, checkpoint: str = RELEASED) -> str:
    """Finds a checkpoint for a model.

    Args:
        config (str): Name of the model, or path of its config.
        checkpoint (str): 'released', or a path or URL. Defaults to 'released'.

    Returns:
        str: Path or URL; of the released weights, or else the given one.

    Raises:
        FileNotFoundError: If no weights have been released for the model.
        ValueError: If the metafile is damaged or cut short.
    """
    if checkpoint != RELEASED:
        return checkpoint
    weights = released_weights(config)
    if weights is None:
        have = ', '.join(list_models(released=True))
        raise FileNotFoundError(
            f'no weights have been released for {_name_of(config)!r}'
            + (f', only for {have}' if have else '')
            + '; give the path of a checkpoint'
        )
    return weights


def create_model(
    name: str,
    num_classes: Optional[int] = None,
    checkpoint: Optional[str] = None,
    **overrides: Any,
) -> BaseRecognizer:
    """Builds a recognizer of the zoo.

    Args:
        name (str): One of :func:`list_models`, or the path of a config.
        num_classes (int, optional): Number of classes. Defaults to None, that
            of the config.
        checkpoint (str, optional): 'released' for the released weights of this
            model, or the path or URL of a checkpoint, ``.pth`` or
            ``.safetensors``, including those of mmaction2. Weights of the
            sampling layers may be missing, as in a checkpoint of mmaction2,
            those of layers that the model lacks are skipped, and the last
            linear layer is, too, if its number of classes differs; all other
            weights must match. Defaults to None, random weights.
        **overrides: Settings that override ``model`` in the config, as nested
            dicts: ``backbone=dict(sgs=dict(stage=2))``.
            ``backbone=dict(sgs=None)`` builds the network without sampling.

    Returns:
        BaseRecognizer: The recognizer in evaluation mode, on the CPU, with its
        config as ``cfg``.

    Raises:
        FileNotFoundError: If there is no such model or checkpoint.
        ValueError: If a setting is unknown, or the weights do not match.

    Examples:
        >>> import mmatfr
        >>> model = mmatfr.create_model(
        ...     'x3d_s-atfr_8xb16-13x6x1-300e_kinetics400-rgb',
        ...     num_classes=10, backbone=dict(sgs=dict(order='time')))
        >>> model.cls_head.fc2.out_features
        10
    """
    path = config_path(name)
    cfg = load_config(path)
    if num_classes is not None:
        if num_classes < 1:
            raise ValueError(f'num_classes={num_classes} must be at least 1')
        cfg.model.cls_head.num_classes = num_classes
    cfg.merge_from_dict({f'model.{key}': v for key, v in overrides.items()})
    recognizer = build_recognizer(cfg.model)
    recognizer.cfg = cfg
    if checkpoint is not None:
        _load(recognizer, find_checkpoint(path, checkpoint))
    return recognizer


def _load(recognizer: BaseRecognizer, checkpoint: str) -> None:
    """Loads matching weights and logs the others."""
    loaded, meta = open_checkpoint(checkpoint)
    layers = tuple(f'{name}.' for name in sgs_layers(recognizer))
    loaded = {
        key: value
        for key, value in loaded.items()
        if key.startswith(layers) or not _SAMPLING.fullmatch(key)
    }
    own = recognizer.state_dict()
    left_out = [
        key
        for key, value in loaded.items()
        if _CLASSIFIER.fullmatch(key)
        and key in own
        and own[key].shape != value.shape
        and own[key].shape[1:] == value.shape[1:]
    ]
    weights = {k: v for k, v in loaded.items() if k not in left_out}
    new = [k for k in own if _SAMPLING.fullmatch(k) and k not in weights]
    allowed = {key: own[key] for key in (*left_out, *new)}
    check_weights(
        recognizer,
        {**weights, **allowed},
        checkpoint,
        recognizer.cfg.filename,
    )
    recognizer.load_state_dict({**weights, **allowed})
    for kept, why in (
        (left_out, 'for another number of classes'),
        (new, 'not in the checkpoint'),
    ):
        if kept:
            print_log(
                f'{len(kept)} tensors keep their random values ({why}): '
                f'{", ".join(kept[:4])}{", ..." if len(kept) > 4 else ""}',
                logger='current',
                level=logging.WARNING,
            )
    recognizer.classes = None if left_out else meta.get('classes')
