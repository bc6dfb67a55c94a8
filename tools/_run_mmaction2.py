"""Finds a script of mmaction2 and runs it as if it had been called itself."""

import multiprocessing
import os
import pickle
import runpy
import sys
from pathlib import Path
from typing import Optional

import mmaction

from mmatfr.datasets import UnreadableVideoError


def find_tool(name: str) -> Path:
    """Finds a script in mmaction2's wheel or in a clone of its repository.

    Args:
        name (str): Its path below mmaction2's `tools`.

    Returns:
        Path: The script.

    Raises:
        FileNotFoundError: If it is in neither.
    """
    package = Path(mmaction.__file__).resolve().parent
    places = [
        package / '.mim' / 'tools' / name,
        package.parent / 'tools' / name,
    ]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(
        f'mmaction2 is installed without its tools: found neither '
        f'{places[0]} nor {places[1]}. Install the wheel of mmaction2 1.2.0, '
        'or its clone with `pip install -e`'
    )


def run_tool(name: str) -> None:
    """Runs a script of mmaction2 with the arguments of this process.

    What is wrong with the input is said in one line, with exit code 1; set
    MMATFR_TRACEBACK=1 to see where it was noticed.

    Args:
        name (str): Its path below mmaction2's `tools`.
    """
    try:
        runpy.run_path(str(find_tool(name)), run_name='__main__')
    except Exception as error:
        message = _describe(error)
        if message is None or os.environ.get('MMATFR_TRACEBACK', '0') != '0':
            raise
        _stop_workers()
        sys.exit(f'error: {message}')


def _describe(error: Exception) -> Optional[str]:
    """Says in one line what is wrong with the input; None if nothing is."""
    message = str(error).strip() or type(error).__name__
    if isinstance(error, KeyError) and 'registry' in message:
        return message.strip('\'"')  # a type that is not registered
    if isinstance(error, (pickle.UnpicklingError, EOFError)) or (
        'PytorchStreamReader' in message
    ):
        return (
            f'the checkpoint cannot be read ({message.splitlines()[0]}); it '
            'is damaged or no checkpoint, copy it again or name another'
        )
    if isinstance(
        error, (ValueError, FileNotFoundError, UnreadableVideoError)
    ):
        # A worker of the data loader puts its own traceback first.
        return message.splitlines()[-1].split('UnreadableVideoError: ')[-1]
    return None


def _stop_workers() -> None:
    """Ends the data loader's workers, so that none writes amid the error."""
    workers = multiprocessing.active_children()
    for worker in workers:
        worker.terminate()
        worker.join()
    if workers:
        print(file=sys.stderr)  # one may have left a line unfinished
