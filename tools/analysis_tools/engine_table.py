"""Times a clip in every engine for several recognizers, in one table.

Each recognizer is timed as by `benchmark.py --engine`, with all figures; the
last table has the milliseconds per clip of all recognizers. The report is
written after each recognizer.
"""

import argparse
from pathlib import Path
from typing import Any, Dict, List

from rich.console import Console

from mmatfr.arguments import make_parser
from mmatfr.benchmark.arguments import (
    add_engines,
    add_models,
    add_run,
    check_engines,
    named_engines,
)
from mmatfr.benchmark.contenders import Task
from mmatfr.benchmark.engines import EngineBenchmark
from mmatfr.benchmark.models import MODELS
from mmatfr.benchmark.tables import (
    explain_columns,
    print_engine_summary,
    print_engines,
)
from mmatfr.cli import make_progress, run_script, show_steps, write_report
from mmatfr.visualization.times import draw_engines


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_models(parser)
    parser.add_argument(
        '--threads',
        type=int,
        nargs='+',
        default=[1, 2],
        help='number of CPU threads (default: 1 2)',
    )
    add_run(parser, 'results/engine_table', rounds=10, device=False, seed=True)
    add_engines(parser)
    parser.set_defaults(engine=['all'], kept=[0.5])
    args = parser.parse_args()
    check_engines(parser, args)
    return args


def run(args: argparse.Namespace) -> None:
    console = Console(width=140)
    explain_columns(console)
    rows: List[Dict[str, Any]] = []
    figures = {}
    for name in args.models:
        model = MODELS[name]
        task = Task(model.config, seed=args.seed, shape=model.shape)
        found: List[Dict[str, Any]] = []
        with make_progress() as progress:
            benchmark = EngineBenchmark(
                task,
                named_engines(args),
                args.kept,
                args.work_dir,
                show_steps(progress),
            )
            for threads in args.threads:
                found += benchmark.run(threads, args.rounds)
        print_engines(name, found, console)
        figures[name] = draw_engines(found)
        rows += [dict(model=name, **row) for row in found]
        write_report(
            Path(args.out),
            'engine_table',
            dict(rounds=args.rounds, rows=rows),
            **figures,
        )
    print_engine_summary(rows, console)


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
