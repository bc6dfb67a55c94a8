"""Runs scripts in the process of the tests, which saves their imports."""

import copy
import io
import logging
import os
import runpy
import sys
import traceback
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from mmaction.visualization import ActionVisualizer
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.visualization import Visualizer

__all__ = ['ROOT', 'Run', 'assert_one_line', 'loading_here', 'run_script']

ROOT = Path(__file__).parents[1]
# Their instances have names with the time in seconds.
_NAMED = ActionVisualizer, DefaultScope, MessageHub, MMLogger, Visualizer
_build_dataloader = Runner.build_dataloader


@dataclass
class Run:
    """What a command leaves behind.

    Attributes:
        returncode (int): Its exit code.
        stdout (str): What it printed.
        stderr (str): Its messages.
    """

    returncode: int
    stdout: str
    stderr: str


def run_script(script, *args, cwd=ROOT, **environment):
    """Runs a script as its command does, but in this process.

    Clips are loaded in this process, too.

    Args:
        script (str): Path of the script from the root of the repository.
        *args: Its arguments.
        cwd (str): Folder to run it in. Defaults to the root.
        **environment (str): Further environment variables.

    Returns:
        Run: The result, with the traceback of an error in ``stderr``.
    """
    path = ROOT / script
    out, err = io.StringIO(), io.StringIO()
    with ExitStack() as stack:
        for context in (
            chdir(cwd),
            redirect_stdout(out),
            redirect_stderr(err),
            loading_here(),
            patch.object(sys, 'argv', [str(path), *map(str, args)]),
            patch.object(sys, 'path', [str(path.parent), *sys.path]),
            # Scripts change both.
            patch.object(logging, 'raiseExceptions', logging.raiseExceptions),
            patch.dict(os.environ, environment),
            *(patch.object(kind, '_instance_dict', {}) for kind in _NAMED),
        ):
            stack.enter_context(context)
        try:
            runpy.run_path(str(path), run_name='__main__')
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
            if isinstance(code, str):  # as Python does
                print(code, file=err)
                code = 1
        except Exception:
            traceback.print_exc(file=err)
            code = 1
    return Run(code, out.getvalue(), err.getvalue())


def loading_here():
    """Context in which runners load clips without forks of this process."""

    def build(dataloader, *args, **kwargs):
        if isinstance(dataloader, dict):
            dataloader = copy.copy(dataloader)
            dataloader.update(num_workers=0, persistent_workers=False)
        return _build_dataloader(dataloader, *args, **kwargs)

    return patch.object(Runner, 'build_dataloader', staticmethod(build))


def assert_one_line(done, *words):
    """Asserts that a run stopped with one error, a line with all words."""
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    _, line = done.stderr.split('error: ')
    assert '\n' not in line.rstrip('\n')
    for word in words:
        assert word in line
