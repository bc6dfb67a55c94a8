"""Measures how the time of a recognizer grows with the kept frames.

It runs clips of noise of several lengths in batches of several sizes, with
half of the frames kept on average. The report has the time by the number of
frames in the batch; twice the frames should take twice the time.
"""

import argparse
from pathlib import Path

from rich.console import Console

from mmatfr.apis import build_recognizer, load_config
from mmatfr.arguments import add_cfg_options, make_parser
from mmatfr.benchmark.arguments import (
    add_run,
)
from mmatfr.benchmark.growth import measure_growth
from mmatfr.benchmark.options import EXECUTIONS
from mmatfr.benchmark.tables import print_growth
from mmatfr.cli import make_progress, run_script, write_report
from mmatfr.visualization.times import draw_growth
from mmatfr.zoo.models import config_path


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        'config', help='config of a 3D recognizer, path or name'
    )
    parser.add_argument(
        '--frames',
        type=int,
        nargs='+',
        default=[8, 16, 32, 64, 128],
        help='T of the clips (default: 8 16 32 64 128)',
    )
    parser.add_argument(
        '--batch-sizes',
        type=int,
        nargs='+',
        default=[1, 8, 64],
        help='default: 1 8 64',
    )
    parser.add_argument(
        '--size',
        type=int,
        default=56,
        help='height and width of the clips (default: %(default)s)',
    )
    parser.add_argument(
        '--execution',
        choices=EXECUTIONS,
        default='auto',
        help='default: %(default)s',
    )
    add_run(parser, 'results/growth', rounds=3)
    add_cfg_options(parser, 'the config')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    cfg = load_config(config_path(args.config), args.cfg_options)
    model = build_recognizer(cfg.model).to(args.device)
    model.backbone.execution = args.execution
    with make_progress() as progress:
        rows = measure_growth(
            model,
            args.frames,
            args.batch_sizes,
            args.size,
            progress,
            args.rounds,
            args.device,
        )
    name = Path(args.config).stem
    print_growth(f'{name}, {args.size}x{args.size}', rows, Console())
    write_report(
        Path(args.out),
        name,
        dict(config=args.config, size=args.size, rows=rows),
        figure=draw_growth(rows),
    )


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
