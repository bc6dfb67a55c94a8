"""The time of a clip in every engine, for several recognizers: one table.

Each recognizer is timed as by `benchmark.py --engine`, which prints all there
is; the last table has the milliseconds of a clip alone. The report is written
after each recognizer.
"""

import argparse
from pathlib import Path
from typing import Any, Dict, List, Optional

from _engines import (
    add_arguments,
    check_arguments,
    compare_engines,
    explain_columns,
    print_engines,
)
from rich.console import Console
from speed_table import MODELS, find_config, shape_of

from mmatfr.benchmark.contenders import Task
from mmatfr.cli import make_progress, make_table, run_script, write_report
from mmatfr.visualization.times import draw_engines


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--models',
        nargs='+',
        choices=list(MODELS),
        default=list(MODELS)[:-1],
        help='default: all but x3d-xl',
    )
    parser.add_argument(
        '--threads',
        type=int,
        nargs='+',
        default=[1, 2],
        help='threads on the CPU (default: 1 2)',
    )
    parser.add_argument(
        '--rounds', type=int, default=10, help='default: %(default)s'
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='default: %(default)s'
    )
    parser.add_argument(
        '--out',
        default='results/engine_table',
        help='folder of the JSON file and the figures (default: %(default)s)',
    )
    add_arguments(parser)
    parser.set_defaults(engine=['all'])
    args = parser.parse_args(argv)
    check_arguments(parser, args)
    return args


def print_summary(rows: List[Dict[str, Any]], console: Console) -> None:
    """Prints milliseconds a clip, models side by side."""
    models = list(dict.fromkeys(row['model'] for row in rows))
    threads = list(dict.fromkeys(row['threads'] for row in rows))
    table = make_table(
        f'ms a clip, {" / ".join(map(str, threads))} threads',
        ('contender', *models),
    )
    lines: Dict[str, Dict[str, List[str]]] = {}
    for row in rows:
        name, cell = row['contender'], 'none'
        if 'refusal' not in row:
            cell = f'{1e3 * row["seconds_per_clip"]:.4g}'
            if row['kept'] is not None:
                name += f", B'/T={row['kept']:g}"
        lines.setdefault(name, {}).setdefault(row['model'], []).append(cell)
    for name, cells in lines.items():
        table.add_row(
            name, *(' / '.join(cells.get(model, [])) for model in models)
        )
    console.print(table)


def run(args: argparse.Namespace) -> None:
    console = Console(width=140)
    explain_columns(console)
    rows: List[Dict[str, Any]] = []
    figures = {}
    for name in args.models:
        task = Task(find_config(name), seed=args.seed, shape=shape_of(name))
        with make_progress() as progress:
            found = compare_engines(args, task, progress)
        print_engines(name, found, console)
        figures[name] = draw_engines(found)
        rows += [dict(model=name, **row) for row in found]
        write_report(
            Path(args.out),
            'engine_table',
            dict(rounds=args.rounds, rows=rows),
            **figures,
        )
    print_summary(rows, console)


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
