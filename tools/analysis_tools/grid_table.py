"""Compares recipes on GRID in one table.

For each seed the network without sampling is trained once on windows of 32
frames, starting from one trained on windows of 16. Every row starts from these
weights, is trained with the same schedule, and is tested on the test split.
Rows with another number of bins use the weights of another row. Finished steps
are skipped, so an interrupted run continues with the same command.
"""

import argparse
from pathlib import Path

from mmatfr.cli import run_script
from mmatfr.experiments.grid import REPORT, ROWS, GridComparison


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--rows',
        nargs='+',
        choices=list(ROWS),
        default=list(ROWS),
        metavar='ROW',
        help=f'{", ".join(ROWS)} (default: all)',
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
    return parser.parse_args()


def run() -> None:
    args = parse_args()
    comparison = GridComparison(
        data=args.data, work_dir=args.work_dir, epochs=args.epochs
    )
    results = comparison.run(args.rows, args.seeds)
    REPORT.write(Path(args.out), 'grid_color', args.seeds, results)


if __name__ == '__main__':
    run_script(run)
