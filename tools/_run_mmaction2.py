"""Finds a script of mmaction2 and runs it as if it had been called itself."""

import runpy
from pathlib import Path

import mmaction

from mmatfr.cli import run_script


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
    run_script(
        lambda: runpy.run_path(str(find_tool(name)), run_name='__main__')
    )
