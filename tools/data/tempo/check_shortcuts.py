"""Checks that tempo requires the order of the frames.

It trains the same small network three times: on frames in order, on single
frames, and on frames in random order. Only the first should be accurate.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from mmatfr.arguments import add_decode_once, make_parser, refuse_below_one
from mmatfr.cli import run_script, write_report
from mmatfr.datasets.tempo import CLASSES, WORLDS, get_size, write_tempo
from mmatfr.experiments.shortcuts import (
    VIEWS,
    print_shortcuts,
    train_and_test,
)


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        '--world',
        choices=WORLDS,
        default='still',
        help='world of the data set (default: %(default)s)',
    )
    parser.add_argument(
        '--data',
        help='folder of the data set, size small; generated if missing '
        '(default: data/tempo/small, or data/tempo/small-WORLD for a '
        'world other than still)',
    )
    parser.add_argument(
        '--work-dir',
        help='folder of logs and of the table shortcuts.json (default: '
        'work_dirs/tempo_shortcuts, or work_dirs/tempo_shortcuts-WORLD)',
    )
    parser.add_argument(
        '--views', nargs='+', choices=list(VIEWS), default=list(VIEWS)
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument(
        '--epochs', type=int, help='number of epochs (default: of the configs)'
    )
    add_decode_once(parser)
    args = parser.parse_args()
    if args.epochs is not None:
        refuse_below_one(parser, args, 'epochs')
    suffix = '' if args.world == 'still' else f'-{args.world}'
    args.data = args.data or f'data/tempo/small{suffix}'
    args.work_dir = args.work_dir or f'work_dirs/tempo_shortcuts{suffix}'
    return args


def run() -> None:
    args = parse_args()
    tempo = replace(get_size('small'), world=args.world)
    for _ in write_tempo(args.data, tempo) or ():
        pass
    report = dict(
        data=args.data,
        world=args.world,
        classes=len(CLASSES),
        chance=round(1 / len(CLASSES), 4),
        rows=[
            train_and_test(
                view,
                seed,
                args.data,
                args.work_dir,
                args.epochs,
                args.decode_once,
            )
            for seed in args.seeds
            for view in args.views
        ],
    )
    print_shortcuts(report)
    write_report(Path(args.work_dir), 'shortcuts', report)


if __name__ == '__main__':
    run_script(run)
