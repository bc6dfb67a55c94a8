"""Checkpoint files: reading them safely, and their hashes."""

import hashlib
import io
import json
import os.path as osp
import re
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple, Union
from urllib.parse import urlparse

import torch
import yaml
from mmengine.runner import CheckpointLoader
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .atomic_write import write_bytes

__all__ = [
    'check_fit',
    'check_hash',
    'fetch',
    'hash_beside',
    'hash_in_name',
    'load_local',
    'open_checkpoint',
    'pack_checkpoint',
    'read_checkpoint',
    'sha256_of',
    'write_checkpoint',
]

# <config>_<yyyymmdd>-<first 8 of the SHA-256>, as the zoos of OpenMMLab have
# it.
_NAME = re.compile(r'_\d{8}-(?P<hash>[0-9a-f]{8})\.(?P<ending>\w+)')


def sha256_of(path: str) -> str:
    """Hashes a file.

    Args:
        path (str): The file.

    Returns:
        str: Its SHA-256, 64 hexadecimal digits.
    """
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def hash_in_name(path: str) -> Optional[str]:
    """Reads the hash that the name of a published checkpoint carries.

    Args:
        path (str): Path or URL.

    Returns:
        str: The first eight digits of its SHA-256. None if the name carries
        none, or is that of a ``.safetensors``, which bears the hash of the
        ``.pth`` beside it.

    Examples:
        >>> hash_in_name('tsm_20221122-0a6b7c8d.pth')
        '0a6b7c8d'
    """
    match = _NAME.search(osp.basename(path))
    if match is None or match['ending'] != 'pth':
        return None
    return match['hash']


def fetch(path: str) -> str:
    """Brings a checkpoint to this machine.

    Args:
        path (str): Path or URL.

    Returns:
        str: The path; of a URL, that in torch's cache.

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
                    'by other means and name the file'
                ) from error
        return str(local)
    if not osp.isfile(path):
        raise FileNotFoundError(f'{path!r} does not exist; check the path')
    return path


def hash_beside(path: str) -> Optional[str]:
    """Reads what the metafile entry beside a published file says of it.

    Args:
        path (str): The file.

    Returns:
        str: Its SHA-256. None if there is no entry of its name, ``.yml``, or
        that does not know the file.

    Raises:
        ValueError: If the entry is damaged.
    """
    entry = Path(path).with_suffix('.yml')
    if not entry.is_file():
        return None
    try:
        models = yaml.safe_load(entry.read_text(encoding='utf-8'))['Models']
        hashes = {}
        for model in models:
            hashes.update(model.get('SHA256') or {})
    except (
        yaml.YAMLError,
        UnicodeError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ):
        raise ValueError(
            f'{str(entry)!r} should say what the SHA-256 of {path!r} is, and '
            'is damaged; get it again, or remove it to do without'
        ) from None
    return hashes.get(osp.basename(path))


def check_hash(path: str, expected: Optional[str] = None) -> None:
    """Makes sure that a published file has arrived as it was.

    Args:
        path (str): The file.
        expected (str, optional): Its SHA-256, or the beginning. Defaults to
            None, what the entry beside it says or its name carries; without
            any there is nothing to check.

    Raises:
        ValueError: If its hash is another.
    """
    expected = expected or hash_beside(path) or hash_in_name(path)
    if expected is None:
        return
    found = sha256_of(path)
    if not found.startswith(expected):
        raise ValueError(
            f'{path!r} is not what was published: its SHA-256 begins with '
            f'{found[:8]} and should with {expected[:8]}; it is damaged or '
            'incomplete, get it again'
        )


def read_checkpoint(path: str) -> Dict[str, Any]:
    """Reads a ``.pth`` and nothing that could run code.

    Args:
        path (str): The file.

    Returns:
        dict: What training or publishing wrote: ``state_dict``, ``meta`` and
        maybe more.

    Raises:
        ValueError: As :func:`load_local`.
    """
    loaded = CheckpointLoader.load_checkpoint(
        path, map_location='cpu', logger='silent'
    )
    return loaded if 'state_dict' in loaded else dict(state_dict=loaded)


def load_local(
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
        ValueError: If it is damaged, or not what was published, or holds more
            than weights and plain values, or no weights.
    """
    path = osp.expanduser(path)
    if not osp.isfile(path):
        raise FileNotFoundError(f'{path!r} does not exist; check the path')
    check_hash(path)
    try:
        loaded = torch.load(path, map_location, weights_only=True)
    except Exception as error:  # of bytes that are no pickle, any
        raise ValueError(
            f'the checkpoint cannot be read: {path!r} is damaged or no '
            'checkpoint, or holds more than weights and plain values '
            '(weights_only=True); get it again or name another'
        ) from error
    parts = [('it', loaded)]
    if isinstance(loaded, dict):
        parts = [(k, loaded[k]) for k in ('state_dict', 'meta') if k in loaded]
    for name, part in parts:
        if not isinstance(part, dict):
            raise ValueError(
                f'{path!r} holds no weights as training writes them: {name} '
                f'is a {type(part).__name__} and not a dict; name another'
            )
    return loaded


# Layers that a checkpoint of the base has not got, and counts that torch does
# without.
_NOT_IN_BASE = re.compile(r'(.*\.)?(sgs\..+|num_batches_tracked)')


def check_fit(
    own: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    checkpoint: str,
    config: str,
    base: bool = False,
) -> None:
    """Makes sure that weights are those of a model.

    Args:
        own (Mapping[str, Tensor]): Those of the model.
        weights (Mapping[str, Tensor]): The state dict to load.
        checkpoint (str): Where the weights are from.
        config (str): Where the model is from.
        base (bool): Whether weights of layers that sample may be missing, as
            in a checkpoint of mmaction2, and others may be left over. Defaults
            to False.

    Raises:
        ValueError: If they do not fit, with numbers and the first of each
            kind.
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
        f'{", ".join(wrong)}; name the config it was trained with, '
        'num_classes included'
    )


def pack_checkpoint(content: Dict[str, Any]) -> bytes:
    """Packs what a ``.pth`` holds.

    In memory, as torch's own writer says neither the file nor the cause when
    the disk is full, and so that the archive does not carry a file's name.

    Args:
        content (dict): Weights and plain values.

    Returns:
        bytes: The content of the file.
    """
    archive = io.BytesIO()
    torch.save(content, archive)
    return archive.getvalue()


def write_checkpoint(path: Union[str, Path], content: Dict[str, Any]) -> None:
    """Writes a ``.pth``, whole or not at all.

    Args:
        path (str | Path): The file.
        content (dict): Weights and plain values.

    Raises:
        WriteError: If the file cannot be written.
    """
    write_bytes(path, pack_checkpoint(content))


def open_checkpoint(path: str) -> Tuple[Dict[str, Tensor], Dict[str, Any]]:
    """Reads the weights of a checkpoint, whose hash is checked.

    Args:
        path (str): Path or URL of a ``.pth``, as training or publishing
            writes it, or of a published ``.safetensors``.

    Returns:
        tuple: The weights by name, and ``classes``, the names of the classes,
        where they are known.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, or holds no weights.
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
    """Makes sure that a checkpoint holds weights.

    Args:
        weights (Any): Its state dict.
        path (str): Where it is from.

    Raises:
        ValueError: If it is no dict of tensors, or empty.
    """
    if (
        not isinstance(weights, Mapping)
        or not weights
        or not all(isinstance(value, Tensor) for value in weights.values())
    ):
        raise ValueError(f'{path!r} holds no weights; name another')


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
