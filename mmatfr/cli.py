"""Shared parts of the scripts: errors, progress, reports."""

import copy
import json
import logging
import multiprocessing
import os
import pickle
import platform
import re
import shlex
import sys
import traceback
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Sequence

import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

from .atomic_write import (
    WriteError,
    atomic_path,
    is_disk_full,
    write_text,
)
from .datasets import UnreadableVideoError

__all__ = [
    'describe_error',
    'describe_run',
    'make_progress',
    'make_table',
    'print_table',
    'run_script',
    'show_steps',
    'write_report',
]

# Message of mmengine's registries.
_UNKNOWN_ARGUMENT = re.compile(r'class `\w+` in .*unexpected keyword argument')


def run_script(run: Callable[[], Any]) -> None:
    """Runs a script and reports bad input in one line.

    In this case the exit code is 1. Set MMATFR_TRACEBACK=1 to see the
    traceback.

    Args:
        run (Callable): Main function of the script.
    """
    # A log that cannot be written, as on a full disk, has no tracebacks.
    logging.raiseExceptions = False
    try:
        run()
    except Exception as error:
        message = describe_error(error)
        if message is None or os.environ.get('MMATFR_TRACEBACK', '0') != '0':
            raise
        _stop_workers()
        sys.exit(f'error: {message}')


_KNOWN = {
    'AmpOptimizerWrapper': (
        'mixed precision needs a GPU, but there is none; remove --amp, or '
        'set optim_wrapper.type=OptimWrapper'
    ),
    '`epoch_length` must be a positive integer': (
        'the training list has fewer videos than a batch, and incomplete '
        'batches are dropped; list more videos, or lower '
        'train_dataloader.batch_size'
    ),
    'model should be a nn.Module object or dict': (
        'the `model` of the config must be a dict; use a recognizer config'
    ),
    'NVIDIA driver': 'there is no GPU; choose --device cpu',
    'not compiled with CUDA': 'there is no GPU; choose --device cpu',
}


def describe_error(error: Exception) -> Optional[str]:
    """Describes bad input in one line.

    Args:
        error (Exception): The exception raised.

    Returns:
        str: The line; None if the cause is not bad input.
    """
    message = str(error).strip() or type(error).__name__
    for words, meaning in _KNOWN.items():
        if words in message:
            return meaning
    if isinstance(error, ImportError) and 'install' in message:
        return message.splitlines()[-1]
    if isinstance(error, KeyError) and 'registry' in message:
        return message.strip('\'"')  # unregistered type
    if isinstance(error, KeyError) and error.args == ('model',):
        return 'the config has no `model`; use the config of a recognizer'
    if isinstance(error, TypeError) and _UNKNOWN_ARGUMENT.search(message):
        return f'{message.splitlines()[-1]}; correct its name in the config'
    if (
        isinstance(error, SyntaxError)
        and 'config file' in message
        or isinstance(error, OSError)
        and message.startswith('Only py/yml/yaml/json')
    ):
        return f'{message.splitlines()[0]}; correct it, or use another config'
    if isinstance(error, SyntaxError) and error.lineno:
        # mmengine parses a config without passing its name to Python.
        unnamed = error.filename in (None, '<unknown>', '<string>')
        return (
            f'{"the config" if unnamed else repr(error.filename)} has a '
            f'syntax error in line {error.lineno} ({error.msg}); correct it, '
            'or use another config'
        )
    if isinstance(error, (pickle.UnpicklingError, EOFError)) or (
        'PytorchStreamReader' in message
    ):
        return (
            f'the checkpoint cannot be read ({message.splitlines()[0]}); it '
            'is damaged or not a checkpoint, copy it again or use another'
        )
    if isinstance(
        error,
        (ValueError, FileNotFoundError, UnreadableVideoError, WriteError),
    ):
        # Errors of data loader workers begin with a traceback.
        return message.splitlines()[-1].split('UnreadableVideoError: ')[-1]
    if isinstance(error, OSError) and is_disk_full(error):
        where = f' for {str(error.filename)!r}' if error.filename else ''
        return (
            f'there is no space{where} ({error.strerror}); free space on the '
            'disk of the results and of temporary files, then run the same '
            'command again'
        )
    if isinstance(error, OSError) and error.filename is not None:
        return (
            f'{str(error.filename)!r} cannot be used ({error.strerror}); '
            'choose another'
        )
    return _describe_config(error, message.splitlines()[0])


def _describe_config(error: Exception, message: str) -> Optional[str]:
    """Describes an error in reading a config or building from it."""
    reason = f'({type(error).__name__}: {message}); correct it'
    for frame, _ in reversed([*traceback.walk_tb(error.__traceback__)]):
        name = frame.f_code.co_name
        of_mmengine = 'mmengine' in frame.f_code.co_filename
        if of_mmengine and name == 'build_from_cfg':
            part = frame.f_locals.get('obj_type', 'a part')
            part = getattr(part, '__name__', part)
            return f'{part} cannot be built from the config {reason}'
        if of_mmengine and name == 'fromfile':
            return (
                f'the config {str(frame.f_locals.get("filename"))!r} cannot '
                f'be read {reason}'
            )
    return None


def _stop_workers() -> None:
    """Stops data loader workers, so that none writes into the message."""
    workers = multiprocessing.active_children()
    for worker in workers:
        worker.terminate()
        worker.join()
    if workers:
        print(file=sys.stderr)  # a worker may have left an incomplete line


def make_progress() -> Progress:
    """Creates a progress bar on stderr that disappears at the end."""
    return Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def show_steps(progress: Progress) -> Callable[[str, int, int], None]:
    """Returns a function that shows the progress of steps.

    Args:
        progress (Progress): Gets a bar for each step until it is finished.

    Returns:
        Callable: Takes the name of the step, the number of finished parts and
        their total number.
    """
    tasks: Dict[str, TaskID] = {}

    def show(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = progress.add_task(step, total=total)
        progress.update(tasks[step], completed=done, total=total)
        if done >= total:
            progress.remove_task(tasks.pop(step))

    return show


def make_table(title: str, columns: Sequence[str]) -> Table:
    """Creates a table with a column of names and right-aligned numbers."""
    table = Table(title=title, title_justify='left')
    for place, column in enumerate(columns):
        table.add_column(column, justify='right' if place else 'left')
    return table


def print_table(
    table: Table, console: Optional[Console] = None, names: int = 1
) -> None:
    """Prints a table, split into parts if the terminal is too narrow.

    Cells are never truncated.

    Args:
        table (Table): The table.
        console (Console, optional): Console to print to. Defaults to None,
            stdout.
        names (int): Number of leading columns to repeat in each part. Defaults
            to 1.
    """
    console = console or Console()
    named, rest = table.columns[:names], table.columns[names:]
    while rest:
        count = len(rest)
        while count > 1 and console.width < _width(
            _with_columns(table, [*named, *rest[:count]]), console
        ):
            count -= 1
        console.print(_with_columns(table, [*named, *rest[:count]]))
        rest = rest[count:]


def _with_columns(table: Table, columns: Sequence[Column]) -> Table:
    part = copy.copy(table)
    part.columns = list(columns)
    return part


def _width(table: Table, console: Console) -> int:
    unlimited = console.options.update(width=10000)
    return Measurement.get(console, unlimited, table).maximum


# Environment variables that affect times.
_TIMES_DEPEND_ON = ('GLIBC_TUNABLES', 'LD_PRELOAD', 'OMP_NUM_THREADS')


def describe_run() -> Dict[str, Any]:
    """Returns the command and the machine, for reports."""
    script, *args = sys.argv
    return dict(
        command=shlex.join(['python', os.path.relpath(script), *args]),
        processor=_processor(),
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        gpu=(
            torch.cuda.get_device_name() if torch.cuda.is_available() else None
        ),
        python=platform.python_version(),
        torch=torch.__version__,
        environment={
            name: os.environ[name]
            for name in _TIMES_DEPEND_ON
            if name in os.environ
        },
    )


def _processor() -> str:
    try:
        with open('/proc/cpuinfo') as file:
            for line in file:
                if line.startswith('model name'):
                    return line.split(':', 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def write_report(
    out: Path, name: str, report: Dict[str, Any], **figures: Figure
) -> None:
    """Writes the report and the figures of a script, and prints the paths.

    Args:
        out (Path): Folder, created if needed.
        name (str): Name of the files, without extension.
        report (dict): Report, written as JSON with the command and the
            machine.
        **figures (Figure): Figures, written as ``<name>_<key>.png`` and
            ``.pdf``; the key ``figure`` gives ``<name>.png`` and ``.pdf``.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f'{name}.json']
    write_text(
        paths[0],
        json.dumps(dict(run=describe_run(), **report), indent=2) + '\n',
    )
    for key, figure in figures.items():
        stem = name if key == 'figure' else f'{name}_{key}'
        for ending in ('png', 'pdf'):
            paths.append(out / f'{stem}.{ending}')
            with atomic_path(paths[-1]) as part:
                figure.savefig(part)
    print(f'written: {", ".join(map(str, paths))}')
