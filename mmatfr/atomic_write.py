"""Files that are whole or not there: written under another name, then renamed.

A process that is killed, or a disk that is full, leaves the file that was
there before, or none, and never half a file under its final name.
"""

import errno
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Iterator, Union

__all__ = [
    'WriteError',
    'atomic_open',
    'atomic_path',
    'write_bytes',
    'write_text',
]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class WriteError(OSError):
    """A file cannot be written; the previous one is unchanged."""


@contextmanager
def atomic_path(path: Union[str, Path]) -> Iterator[Path]:
    """Gives a temporary path that becomes ``path`` if all goes well.

    The temporary file lies in the same folder, under a hidden name with the
    same ending. Its name is always the same, so that what a killed process
    left is overwritten by the next. Links are followed; what is no regular
    file, such as ``/dev/stdout``, is written to directly.

    Args:
        path (str | Path): The file to write.

    Yields:
        Path: Where to write.

    Raises:
        WriteError: If the file cannot be written, the disk being full for
            example. Nothing is left under the temporary name then.

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
    part = (
        target
        if special
        else target.with_name(f'.{target.stem}.part{target.suffix}')
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
            if error.errno in _FULL
            else 'choose a folder that exists and can be written to'
        )
        raise WriteError(
            f'{str(path)!r} cannot be written '
            f'({error.strerror or error}); {remedy}'
        ) from error
    finally:
        if not special:
            with suppress(OSError):  # gone, or never there
                part.unlink()


@contextmanager
def atomic_open(
    path: Union[str, Path], mode: str = 'w', **kwargs: Any
) -> Iterator[IO]:
    """Opens a file for writing that appears when it is closed.

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
    """Writes a file of bytes, whole or not at all.

    Args:
        path (str | Path): The file.
        content (bytes): Content of the file.

    Raises:
        WriteError: If the file cannot be written.
    """
    with atomic_open(path, 'wb') as file:
        file.write(content)


def write_text(path: Union[str, Path], content: str) -> None:
    """Writes a file of UTF-8, whole or not at all.

    Args:
        path (str | Path): The file.
        content (str): Content of the file.

    Raises:
        WriteError: If the file cannot be written.
    """
    write_bytes(path, content.encode('utf-8'))
