"""Checkpoint files: safe reading and atomic writing."""

import io
import json
import os.path as osp
import re
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple, Union
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, is_main_process
from mmengine.runner import CheckpointLoader
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .atomic_write import write_bytes
from .integrity import check_hash, check_records

__all__ = [
    'check_fit',
    'fetch',
    'load_from_local',
    'load_from_url',
    'open_checkpoint',
    'pack_checkpoint',
    'read_checkpoint',
    'write_checkpoint',
]


def fetch(path: str) -> str:
    """Downloads a checkpoint if its path is a URL.

    Args:
        path (str): Path or URL.

    Returns:
        str: The path; for a URL, the path in torch's cache.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if '://' in path:
        folder = Path(torch.hub.get_dir()) / 'checkpoints'
        local = folder / osp.basename(urlparse(path).path)
        if not local.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            try:
                torch.hub.download_url_to_file(path, str(local))
            except OSError as error:
                raise FileNotFoundError(
                    f'{path!r} cannot be downloaded ({error}); download it '
                    'by other means and give the path of the file'
                ) from error
        return str(local)
    if not osp.isfile(path):
        raise FileNotFoundError(f'{path!r} does not exist; check the path')
    return path


def read_checkpoint(path: str) -> Dict[str, Any]:
    """Reads a ``.pth`` without executing code from it.

    Args:
        path (str): The file.

    Returns:
        dict: Content written by training or publishing: ``state_dict``,
        ``meta`` and possibly more.

    Raises:
        ValueError: As :func:`load_from_local`.
    """
    loaded = CheckpointLoader.load_checkpoint(
        path, map_location='cpu', logger='silent'
    )
    return loaded if 'state_dict' in loaded else dict(state_dict=loaded)


def load_from_local(
    path: str, map_location: Optional[Any] = None
) -> Dict[str, Any]:
    """Loads a file for mmengine's ``CheckpointLoader``.

    Args:
        path (str): The file.
        map_location (optional): As for :func:`torch.load`. Defaults to None.

    Returns:
        dict: Its content.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, is not the published one, contains
            more than weights and plain values, or has no weights.
    """
    path = osp.expanduser(path)
    if not osp.isfile(path):
        raise FileNotFoundError(f'{path!r} does not exist; check the path')
    check_hash(path)
    check_records(path)
    try:
        loaded = torch.load(path, map_location, weights_only=True)
    except Exception as error:  # invalid pickles raise errors of any kind
        raise ValueError(
            f'the checkpoint cannot be read: {path!r} is damaged, is not a '
            'checkpoint, or contains more than weights and plain values '
            '(weights_only=True); get it again or use another'
        ) from error
    parts = [('it', loaded)]
    if isinstance(loaded, dict):
        parts = [(k, loaded[k]) for k in ('state_dict', 'meta') if k in loaded]
    for name, part in parts:
        if not isinstance(part, dict):
            raise ValueError(
                f'{path!r} is not a checkpoint of a training: {name} is a '
                f'{type(part).__name__} instead of a dict; use another file'
            )
    return loaded


def load_from_url(
    url: str, map_location: Optional[Any] = None
) -> Dict[str, Any]:
    """Downloads a file for mmengine's ``CheckpointLoader`` and loads it.

    Args:
        url (str): URL of the file; the main process downloads it.
        map_location (optional): As for :func:`torch.load`. Defaults to None.

    Returns:
        dict: Its content.

    Raises:
        FileNotFoundError: If it cannot be downloaded.
        ValueError: As :func:`load_from_local`.
    """
    if is_main_process():
        fetch(url)
    barrier()
    return load_from_local(fetch(url), map_location)


# Layers that are missing in a checkpoint of the base, and counters that torch
# does not need.
_NOT_IN_BASE = re.compile(r'(.*\.)?(sgs\..+|num_batches_tracked)')


def check_fit(
    own: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    checkpoint: str,
    config: str,
    base: bool = False,
) -> None:
    """Checks that weights match a model.

    Args:
        own (Mapping[str, Tensor]): State dict of the model.
        weights (Mapping[str, Tensor]): The state dict to load.
        checkpoint (str): Origin of the weights, for the message.
        config (str): Origin of the model, for the message.
        base (bool): Whether weights of sampling layers may be missing, as in a
            checkpoint of mmaction2, and extra weights are allowed. Defaults to
            False.

    Raises:
        ValueError: If they do not match; gives the numbers and an example of
            missing, unknown and misshapen weights.
    """
    missing = [
        key
        for key in own
        if key not in weights and not (base and _NOT_IN_BASE.fullmatch(key))
    ]
    other = [
        f'{key} is {tuple(weights[key].shape)} there and '
        f'{tuple(own[key].shape)} here'
        for key in own
        if key in weights and weights[key].shape != own[key].shape
    ]
    unknown = [key for key in weights if key not in own]
    if not (missing or other or (unknown and not base)):
        return
    wrong = [
        f'{len(keys)} {text} ({keys[0]}{", ..." if len(keys) > 1 else ""})'
        for keys, text in (
            (other, 'of another shape'),
            (missing, 'missing there'),
            (unknown, 'unknown here'),
        )
        if keys
    ]
    raise ValueError(
        f'{checkpoint!r} does not fit {config!r}: of {len(own)} weights, '
        f'{", ".join(wrong)}; use the config it was trained with, '
        'including num_classes'
    )


def pack_checkpoint(content: Dict[str, Any]) -> bytes:
    """Serializes the content of a ``.pth`` file.

    This happens in memory, because torch's writer reports neither the file nor
    the cause if the disk is full, and it stores the name of the file in the
    archive.

    Args:
        content (dict): Weights and plain values.

    Returns:
        bytes: The content of the file.
    """
    archive = io.BytesIO()
    torch.save(content, archive)
    return archive.getvalue()


def write_checkpoint(path: Union[str, Path], content: Dict[str, Any]) -> None:
    """Writes a ``.pth`` file atomically.

    Args:
        path (str | Path): The file.
        content (dict): Weights and plain values.

    Raises:
        WriteError: If the file cannot be written.
    """
    write_bytes(path, pack_checkpoint(content))


def open_checkpoint(path: str) -> Tuple[Dict[str, Tensor], Dict[str, Any]]:
    """Reads the weights of a checkpoint and checks its hash.

    Args:
        path (str): Path or URL of a ``.pth`` from training or publishing, or
            of a published ``.safetensors``.

    Returns:
        tuple: The weights by name, and metadata: ``classes``, the names of the
        classes, if known.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or has no weights.
    """
    path = fetch(path)
    if path.endswith('.safetensors'):
        check_hash(path)
        weights, meta = _read_safetensors(path)
    else:
        loaded = read_checkpoint(path)
        weights = loaded['state_dict']
        meta = loaded.get('meta', {}).get('dataset_meta')
    check_weights_of(weights, path)
    classes = meta.get('classes') if isinstance(meta, dict) else None
    if not isinstance(classes, (list, tuple)):
        return weights, {}
    return weights, dict(classes=list(classes))


def check_weights_of(weights: Any, path: str) -> None:
    """Checks that a state dict contains weights.

    Args:
        weights (Any): The state dict.
        path (str): Path of the checkpoint, for the message.

    Raises:
        ValueError: If it is not a dict of tensors, or empty.
    """
    if (
        not isinstance(weights, Mapping)
        or not weights
        or not all(isinstance(value, Tensor) for value in weights.values())
    ):
        raise ValueError(f'{path!r} has no weights; use another file')


def _read_safetensors(path: str) -> Tuple[Dict[str, Tensor], Dict[str, Any]]:
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f'{path!r} cannot be read ({error}); it is damaged or '
            'incomplete, get it again'
        ) from error
    with open(path, 'rb') as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), 'little')))
    meta = header.get('__metadata__', {})
    return weights, json.loads(meta.get('mmatfr', '{}'))
