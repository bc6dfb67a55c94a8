"""Checkpoint files: reading them safely, and their hashes."""

import hashlib
import io
import json
import os.path as osp
import pickle
import re
from pathlib import Path
from typing import Any, Dict, Optional, Tuple, Union
from urllib.parse import urlparse

import torch
from mmengine.runner import CheckpointLoader
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .atomic_write import write_bytes

__all__ = [
    'check_hash',
    'fetch',
    'hash_in_name',
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
        raise FileNotFoundError(f'{path!r} does not exist; name another')
    return path


def check_hash(path: str, expected: Optional[str] = None) -> None:
    """Makes sure that a published file has arrived as it was.

    Args:
        path (str): The file.
        expected (str, optional): Its SHA-256, or the beginning. Defaults to
            None, what the name carries; without any there is nothing to
            check.

    Raises:
        ValueError: If its hash is another.
    """
    expected = expected or hash_in_name(path)
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
        ValueError: If it is damaged, or holds more than weights and plain
            values.
    """
    try:
        loaded = CheckpointLoader.load_checkpoint(
            path, map_location='cpu', logger='silent'
        )
    except FileNotFoundError:
        raise
    except (
        pickle.UnpicklingError,
        EOFError,
        OSError,  # of a small file that is cut short
        RuntimeError,
    ) as error:
        raise ValueError(
            f'the checkpoint cannot be read: {path!r} is damaged or no '
            'checkpoint, or holds more than weights and plain values; get it '
            'again or name another'
        ) from error
    if not isinstance(loaded, dict):
        raise ValueError(f'{path!r} holds no weights; name another')
    return loaded if 'state_dict' in loaded else dict(state_dict=loaded)


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
    check_hash(path)
    if path.endswith('.safetensors'):
        weights, meta = _read_safetensors(path)
    else:
        loaded = read_checkpoint(path)
        weights = loaded['state_dict']
        meta = loaded.get('meta', {}).get('dataset_meta') or {}
    if not all(isinstance(value, Tensor) for value in weights.values()):
        raise ValueError(f'{path!r} holds no weights; name another')
    classes = meta.get('classes')
    if not isinstance(classes, (list, tuple)):
        return weights, {}
    return weights, dict(classes=list(classes))


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
