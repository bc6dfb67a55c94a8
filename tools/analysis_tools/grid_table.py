"""Compares recipes on GRID in one table.

The task is the color in windows of 32 frames, or all six words of whole videos
of 75 frames (--task sentence). For each seed the network without sampling is
trained once, starting from one trained on windows of 16. Every row starts from
these weights, is trained with the same schedule, and is tested on the test
split. Rows with another number of bins use the weights of another row.
Finished steps are skipped, so an interrupted run continues with the same
command.
"""

import argparse
from pathlib import Path

from mmatfr.arguments import add_decode_once, make_parser
from mmatfr.cli import run_script
from mmatfr.experiments.grid import TASKS, GridComparison

_CHOICES = ('color', 'sentence')


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    rows = {task: list(TASKS[task].report.rows) for task in _CHOICES}
    parser.add_argument(
        '--task',
        choices=_CHOICES,
        default='color',
        help='what to recognize (default: %(default)s)',
    )
    parser.add_argument(
        '--model',
        default='resnet3d',
        choices=list(TASKS['color'].networks),
        help='default: %(default)s',
    )
    parser.add_argument(
        '--rows',
        nargs='+',
        metavar='ROW',
        help='default: all; '
        + '; '.join(f'{task}: {", ".join(own)}' for task, own in rows.items()),
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--data',
        default='data/grid',
        help='folder of the data set (default: %(default)s)',
    )
    parser.add_argument(
        '--work-dir',
        default='work_dirs/grid',
        help='folder of the trainings (default: %(default)s)',
    )
    parser.add_argument(
        '--out',
        default='results/grid',
        help='folder of the table (default: %(default)s)',
    )
    parser.add_argument(
        '--epochs', type=int, help='of every training; overrides the configs'
    )
    parser.add_argument(
        '--finetune-epochs',
        type=int,
        help='of the rows; overrides the configs',
    )
    add_decode_once(parser)
    args = parser.parse_args()
    args.rows = args.rows or rows[args.task]
    unknown = [row for row in args.rows if row not in rows[args.task]]
    if unknown:
        parser.error(
            f'--rows: {args.task} has no row {unknown[0]!r}; choose from '
            f'{", ".join(rows[args.task])}'
        )
    if args.model not in TASKS[args.task].networks:
        parser.error(
            f'--model: {args.task} has no {args.model!r}; choose from '
            f'{", ".join(TASKS[args.task].networks)}'
        )
    return args


def run() -> None:
    args = parse_args()
    comparison = GridComparison(
        task=args.task,
        model=args.model,
        data=args.data,
        work_dir=args.work_dir,
        epochs=args.epochs,
        finetune_epochs=args.finetune_epochs,
        decode_once=args.decode_once,
    )
    results = comparison.run(args.rows, args.seeds)
    name = f'grid_{args.task}_{args.model}{comparison.report_suffix}'
    TASKS[args.task].report.write(Path(args.out), name, args.seeds, results)


if __name__ == '__main__':
    run_script(run)
