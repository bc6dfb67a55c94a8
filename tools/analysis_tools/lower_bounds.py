"""Compares the times of recognizers with lower bounds for a machine.

A forward pass has two lower bounds: the time of its
multiply-adds at the speed of a large matrix product, and the time of the
values that its convolutions and products read and write at the speed of a
large copy. Both speeds are measured first. Operations between the convolutions
count as free. Recognizers run one clip of noise at a time, with the requested
number of groups.
"""

import argparse
from pathlib import Path
from typing import Dict, List

from rich.console import Console

from mmatfr.apis import clip_shape, load_config
from mmatfr.arguments import make_parser
from mmatfr.benchmark.arguments import (
    add_models,
    add_run,
    add_shape,
)
from mmatfr.benchmark.lower_bounds import (
    compare_with_lower_bounds,
    measure_machine,
)
from mmatfr.benchmark.models import MODELS
from mmatfr.benchmark.tables import print_lower_bounds
from mmatfr.cli import make_progress, run_script, write_report


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_models(parser)
    add_shape(parser, "each model's")
    parser.add_argument(
        '--resolution',
        type=float,
        default=0.5,
        help="B'/T (default: %(default)s)",
    )
    parser.add_argument(
        '--clips',
        type=int,
        default=8,
        help='number of clips per round (default: %(default)s)',
    )
    add_run(parser, 'results/lower_bounds')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    machine = measure_machine(args.device)
    rows: List[Dict] = []
    with make_progress() as progress:
        for name in args.models:
            cfg = load_config(MODELS[name].config)
            found = compare_with_lower_bounds(
                cfg.model,
                clip_shape(cfg, args.shape or MODELS[name].shape),
                machine,
                progress,
                args.resolution,
                args.clips,
                args.rounds,
                args.device,
            )
            rows += [dict(model=name, **row) for row in found]
    print_lower_bounds(rows, machine, Console(width=120))
    write_report(
        Path(args.out),
        'lower_bounds',
        dict(machine=machine._asdict(), rows=rows),
    )


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
