"""Kills work at the moments at which it changes files, then repeats it.

A run by itself, because it forks:

    python tests/killed_runs.py FOLDER
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from mmatfr.datasets.tempo import Tempo, VideoFormat, write_tempo

CHANGES = ('open', 'os.mkdir', 'os.rename', 'os.remove')
DENSE = 12  # the first moments are all tried, of the others every fifth


def run(work, folder, last=None):
    """Works in a child that is killed before its change number ``last``.

    Returns:
        bool: Whether it was killed.
    """
    child = os.fork()
    if child == 0:
        count = 0

        def count_changes(event, args):
            nonlocal count
            if event not in CHANGES or not isinstance(args[0], str | Path):
                return
            writes = event != 'open' or args[2] & (os.O_WRONLY | os.O_RDWR)
            if writes and Path(args[0]).is_relative_to(folder):
                count += 1
                if count == last:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count_changes)
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), f'an error after {last}'
    return status != 0


def read(folder):
    """Returns the content of every file."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


def kill_everywhere(work, folder):
    """Returns the number of moments, after each of which it went on."""
    assert not run(work, folder)
    whole, moment, tried = read(folder), 1, 0
    while True:
        shutil.rmtree(folder)
        if not run(work, folder, moment):
            return tried
        assert not run(work, folder)
        assert read(folder) == whole, moment
        tried += 1
        moment += 1 if moment < DENSE else 5


def main():
    folder = Path(sys.argv[1]).resolve() / 'set'
    smallest = Tempo(12, 12, 12, VideoFormat(32, 40, 8))
    print(
        kill_everywhere(lambda: [*write_tempo(folder, smallest)], folder),
        'moments',
    )


if __name__ == '__main__':
    main()
