"""Integrity of checkpoint files: published hashes, and checksums inside."""

import hashlib
import os.path as osp
import re
import zipfile
from pathlib import Path
from typing import Dict, Optional

import yaml

__all__ = [
    'check_hash',
    'check_records',
    'hash_beside',
    'hash_in_name',
    'sha256_of',
]

# <config>_<yyyymmdd>-<first 8 of the SHA-256>, as in the zoos of OpenMMLab.
_NAME = re.compile(r'_\d{8}-(?P<hash>[0-9a-f]{8})\.(?P<ending>\w+)')

_CHUNK = 2**20  # bytes


def sha256_of(path: str) -> str:
    """Computes the SHA-256 of a file.

    Args:
        path (str): The file.

    Returns:
        str: Its SHA-256, 64 hexadecimal digits.
    """
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def hash_in_name(path: str) -> Optional[str]:
    """Reads the hash in the name of a published checkpoint.

    Args:
        path (str): Path or URL.

    Returns:
        str: The first eight digits of the SHA-256; None if the name has none,
        or is that of a ``.safetensors``, which has the hash of its ``.pth``.

    Examples:
        >>> hash_in_name('tsm_20221122-0a6b7c8d.pth')
        '0a6b7c8d'
    """
    match = _NAME.search(osp.basename(path))
    if match is None or match['ending'] != 'pth':
        return None
    return match['hash']


def hash_beside(path: str) -> Optional[str]:
    """Reads the hash of a published file from the entry next to it.

    Args:
        path (str): The file.

    Returns:
        str: The SHA-256; None if there is no entry (``.yml`` with the same
        name), or it does not list the file.

    Raises:
        ValueError: If the entry is damaged.
    """
    entry = Path(path).with_suffix('.yml')
    if not entry.is_file():
        return None
    try:
        models = yaml.safe_load(entry.read_text(encoding='utf-8'))['Models']
        hashes: Dict[str, str] = {}
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
            f'{str(entry)!r}, which has the SHA-256 of {path!r}, is damaged; '
            'get it again, or remove it to skip the check'
        ) from None
    return hashes.get(osp.basename(path))


def check_hash(path: str, expected: Optional[str] = None) -> None:
    """Checks a published file against its hash.

    Args:
        path (str): The file.
        expected (str, optional): The SHA-256, or its first digits. Defaults to
            None, the hash in the entry next to the file or in its name;
            without any, nothing is checked.

    Raises:
        ValueError: If the hash differs.
    """
    expected = expected or hash_beside(path) or hash_in_name(path)
    if expected is None:
        return
    found = sha256_of(path)
    if not found.startswith(expected):
        raise ValueError(
            f'{path!r} is not the published file: its SHA-256 begins with '
            f'{found[:8]} instead of {expected[:8]}; it is damaged or '
            'incomplete, get it again'
        )


def check_records(path: str) -> None:
    """Checks the records of a ``.pth`` against their checksums.

    ``torch.load`` does not, so it would read a flipped bit as another weight.
    Other files, and records that were written without a checksum, are not
    checked.

    Args:
        path (str): The file.

    Raises:
        ValueError: If a record differs.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            for record in archive.infolist():
                if record.CRC == 0:
                    continue
                with archive.open(record) as file:
                    while file.read(_CHUNK):
                        pass
    # A damaged header gives errors of many kinds.
    except Exception as error:
        raise ValueError(
            f'the checkpoint cannot be read: {path!r} is damaged ({error}); '
            'get it again or use another'
        ) from error
