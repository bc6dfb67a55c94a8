"""What the scripts that compare engines have in common."""

import argparse
from typing import Any, Callable, Dict, List

from rich.console import Console

from mmatfr.benchmark.contenders import ENGINE_CHOICES, Task
from mmatfr.benchmark.engines import EngineBenchmark
from mmatfr.cli import make_table
from mmatfr.deploy import available_engines

COLUMNS = """\
All take the frames of one clip in memory, uint8, and return its scores;
normalization is included. "base" is the config without sampling as mmaction2
has it, run eagerly; the others are named by how they are run. Each has a
process of its own, and one computes at a time.

  B'         groups of the clip, of each pathway that samples
  ms         median by the clock [least, most]
  CPU ms     median of the processor's time, all threads
  of base    time over that of the first line, of the same rounds
  GFLOPs     over those of the base
  against    the base that the last two columns compare with
  time       over that of this base, of the same rounds [least, most]
  R          time over GFLOPs: 1 where all that is saved saves its time
"""


def add_arguments(parser: argparse._ActionsContainer) -> None:
    """Adds the options of a comparison of engines."""
    parser.add_argument(
        '--engine',
        nargs='+',
        choices=['all', *ENGINE_CHOICES],
        help="compare ways to run one clip: PyTorch's eager mode, inductor "
        'with freezing, and exported files in ONNX Runtime and OpenVINO; '
        'all: whatever is installed',
    )
    parser.add_argument(
        '--kept',
        type=float,
        nargs='+',
        metavar='SHARE',
        help="with --engine: B'/T of the clip (default: 0.5)",
    )
    parser.add_argument(
        '--work-dir',
        default='work_dirs/engines',
        help='with --engine: folder of the exported files, which are written '
        'once (default: %(default)s)',
    )


def check_arguments(
    parser: argparse.ArgumentParser, args: argparse.Namespace
) -> None:
    """Ends with an error where an option is not what it should be."""
    for share in args.kept or ():
        if not 0 < share <= 1:
            parser.error(f'--kept {share:g} must be more than 0, at most 1')
    if args.rounds < 1:
        parser.error(f'--rounds {args.rounds} must be positive')
    if min(args.threads or [1]) < 1:
        parser.error(f'--threads {args.threads} must be positive')


def compare_engines(
    args: argparse.Namespace, task: Task, progress
) -> List[Dict[str, Any]]:
    """Times a recognizer in all engines.

    Args:
        args (argparse.Namespace): With the options of :func:`add_arguments`,
            ``threads`` and ``rounds``.
        task (Task): The recognizer.
        progress (Progress): Where to show how far it is.

    Returns:
        list[dict]: A row for each contender, B' and number of threads.
    """
    engines = args.engine
    if 'all' in engines:
        engines = ['eager', 'inductor', *available_engines()]
    on_step = _show_on(progress)
    benchmark = EngineBenchmark(
        task, engines, args.kept or [0.5], args.work_dir, on_step
    )
    rows = []
    for threads in args.threads or [1, 2]:
        rows += benchmark.run(threads, args.rounds)
    return rows


def _show_on(progress) -> Callable[[str, int, int], None]:
    tasks: Dict[str, Any] = {}

    def on_step(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = progress.add_task(step, total=total)
        progress.update(tasks[step], completed=done, total=total)
        if done >= total:
            progress.remove_task(tasks.pop(step))

    return on_step


def print_engines(
    title: str, rows: List[Dict[str, Any]], console: Console
) -> None:
    """Prints a table for each number of threads."""
    for threads in dict.fromkeys(row['threads'] for row in rows):
        table = make_table(
            f'{title}, {threads} thread{"s" * (threads > 1)}',
            (
                'contender',
                "B'",
                'ms [min, max]',
                'CPU ms',
                'of base',
                'GFLOPs',
                'against',
                'time [min, max]',
                'R',
            ),
        )
        for row in rows:
            if row['threads'] != threads:
                continue
            if 'refusal' in row:
                table.add_row(row['contender'], '', 'not on this processor')
                continue
            cells = [
                row['contender'],
                ', '.join(map(str, row['lengths'])),
                f'{1e3 * row["seconds_per_clip"]:.4g} '
                f'[{1e3 * row["seconds_per_clip_min"]:.4g}, '
                f'{1e3 * row["seconds_per_clip_max"]:.4g}]',
                f'{1e3 * row["cpu_seconds_per_clip"]:.4g}',
                f'{row["time_ratio"]["median"]:.2f}',
                f'{row["gflops_ratio"]:.3f}',
            ]
            if not row['peers']:
                table.add_row(*cells)
            for peer, against in row['peers'].items():
                ratio = against['time_ratio']
                table.add_row(
                    *cells,
                    peer,
                    f'{ratio["median"]:.2f} [{ratio["low"]:.2f}, '
                    f'{ratio["high"]:.2f}]',
                    f'{against["time_over_gflops"]:.2f}',
                )
                cells = [''] * len(cells)
        console.print(table)
    for refusal in dict.fromkeys(
        row['refusal'] for row in rows if 'refusal' in row
    ):
        console.print(f'not on this processor: {refusal}')


def explain_columns(console: Console) -> None:
    """Prints what the columns mean."""
    console.print(COLUMNS, highlight=False, markup=False)
