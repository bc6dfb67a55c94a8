"""Atomic writes: files are written under a temporary name, then renamed.

If the process is killed or the disk is full, the previous file remains
unchanged; a partial file never appears under the final name.
"""

import errno
import functools
import os
import platform
import shutil
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Iterator, Union

__all__ = [
    'WriteError',
    'atomic_open',
    'atomic_path',
    'is_disk_full',
    'make_folder',
    'write_bytes',
    'write_text',
]

_MARK = '.part-'  # in the names of temporary files
_OLD = 24 * 3600  # seconds after which they are not in use
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class WriteError(OSError):
    """A file cannot be written; the previous one is unchanged."""


def is_disk_full(error: OSError) -> bool:
    """Returns whether an error says that there is no space for a file."""
    return error.errno in _FULL


def make_folder(path: Union[str, Path]) -> None:
    """Makes a folder, and those above it, if it is missing.

    Args:
        path (str | Path): The folder.

    Raises:
        WriteError: If it cannot be made.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(
            f'the folder {str(path)!r} cannot be made '
            f'({error.strerror or error}); choose another'
        ) from error


@contextmanager
def atomic_path(path: Union[str, Path]) -> Iterator[Path]:
    """Provides a temporary path that is renamed to ``path`` on success.

    The temporary file is in the same folder, under a hidden name with the same
    extension. The name has the host and the number of the process, so several
    processes can write one file, and the last one wins. The first write of a
    process into a folder removes what killed processes have left there: at
    once those of this host, after a day those of others. Links are followed;
    anything but a regular file, such as ``/dev/stdout``, is written to
    directly.

    Args:
        path (str | Path): The file to write.

    Yields:
        Path: Where to write.

    Raises:
        WriteError: If the file cannot be written, for example because the disk
            is full. The temporary file is then removed.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic_path(f'{folder}/a.txt') as part:
        ...         _ = part.write_text('whole')
        ...     Path(folder, 'a.txt').read_text()
        'whole'
    """
    target = Path(os.path.realpath(path))
    special = target.exists() and not target.is_file()
    part = target
    if not special:
        _sweep(target.parent, os.getpid())
        writer = f'{platform.node()}-{os.getpid()}'
        part = target.with_name(
            f'.{target.stem}{_MARK}{writer}{target.suffix}'
        )
    try:
        yield part
        if special:
            return
        with open(part, 'rb+') as file:
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, part)
        os.replace(part, target)
    except WriteError:
        raise
    except OSError as error:
        remedy = (
            'free space there, or choose another folder'
            if is_disk_full(error)
            else 'choose a folder that exists and can be written to'
        )
        raise WriteError(
            f'{str(path)!r} cannot be written '
            f'({error.strerror or error}); {remedy}'
        ) from error
    finally:
        if not special:
            with suppress(OSError):  # already removed, or never created
                part.unlink()


@functools.cache
def _sweep(folder: Path, process: int) -> None:
    """Removes what killed processes have left, once for each process."""
    for part in folder.glob(f'.*{_MARK}*'):
        with suppress(OSError):  # already removed by another process
            if _is_left(part):
                part.unlink()


def _is_left(part: Path) -> bool:
    host, _, number = part.name.rpartition(_MARK)[2].rpartition('-')
    number = number.partition('.')[0]
    if host == platform.node() and number.isdigit() and os.name == 'posix':
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            return True
        except OSError:  # of another user
            pass
    return time.time() - part.stat().st_mtime > _OLD


@contextmanager
def atomic_open(
    path: Union[str, Path], mode: str = 'w', **kwargs: Any
) -> Iterator[IO]:
    """Opens a file for writing that appears under its name when closed.

    Args:
        path (str | Path): The file to write.
        mode (str): As for :func:`open`, 'w' or 'wb'. Defaults to 'w'.
        **kwargs: As for :func:`open`.

    Yields:
        IO: The open file.

    Raises:
        WriteError: If the file cannot be written.
    """
    with atomic_path(path) as part, open(part, mode, **kwargs) as file:
        yield file


def write_bytes(path: Union[str, Path], content: bytes) -> None:
    """Writes bytes to a file atomically.

    Args:
        path (str | Path): The file.
        content (bytes): Content of the file.

    Raises:
        WriteError: If the file cannot be written.
    """
    with atomic_open(path, 'wb') as file:
        file.write(content)


def write_text(path: Union[str, Path], content: str) -> None:
    """Writes UTF-8 text to a file atomically.

    Args:
        path (str | Path): The file.
        content (str): Content of the file.

    Raises:
        WriteError: If the file cannot be written.
    """
    write_bytes(path, content.encode('utf-8'))
