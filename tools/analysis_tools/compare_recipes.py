"""Compares ways to spend fewer frames on tempo: makes one table.

For each seed the network without sampling is trained once; in another world
than still it trains on from the one that was trained there. Every row, but for
those from scratch, starts from its weights, trains with one and the same
schedule and is tested on the test split; rows that only change how a trained
network is run take the weights of another. All rows of a seed are then timed
in turns. What is done already is not done again, so that an interrupted run
goes on with the same command.
"""

import argparse
from pathlib import Path

import mmatfr  # noqa: F401
from mmatfr.cli import run_script
from mmatfr.datasets.tempo import SIZES, WORLDS
from mmatfr.experiments.comparison import Comparison
from mmatfr.experiments.models import MODELS
from mmatfr.experiments.report import write_comparison
from mmatfr.experiments.tables import ROWS, TABLES


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--model',
        choices=list(MODELS),
        default='resnet3d',
        help='default: %(default)s',
    )
    rows = parser.add_mutually_exclusive_group()
    rows.add_argument(
        '--table',
        choices=list(TABLES),
        default='evidence',
        help='which rows (default: %(default)s)',
    )
    rows.add_argument(
        '--rows', nargs='+', choices=list(ROWS), help='instead of a table'
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--data',
        default='data/tempo/small',
        help='folder of the data set; generated if missing '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--size',
        choices=list(SIZES),
        default='small',
        help='of the data set (default: %(default)s)',
    )
    parser.add_argument(
        '--world',
        choices=WORLDS,
        default='still',
        help='what else changes in the videos than the object that acts; of '
        'another world than still, data, trainings and report go beside the '
        'others (default: %(default)s)',
    )
    parser.add_argument(
        '--test-videos',
        type=int,
        help='test on so many videos, generated in a folder beside the data '
        'set (default: those of its test split)',
    )
    parser.add_argument(
        '--video-frames',
        type=int,
        help='length of the videos; a clip is taken from all of it, so that '
        'rows of more frames take closer ones; data, trainings and report go '
        'beside the others (default: that of the size)',
    )
    parser.add_argument(
        '--work-dir',
        default='work_dirs/recipes',
        help='folder of the trainings (default: %(default)s)',
    )
    parser.add_argument(
        '--out',
        default='results/recipes',
        help='folder of the table and the figure (default: %(default)s)',
    )
    parser.add_argument(
        '--epochs', type=int, help='of every training, instead of the configs'
    )
    parser.add_argument(
        '--finetune-epochs',
        type=int,
        help="of the rows' trainings, instead of the recipe's",
    )
    parser.add_argument(
        '--rounds',
        type=int,
        default=5,
        help='how often each row is timed (default: %(default)s)',
    )
    return parser.parse_args()


def run() -> None:
    args = parse_args()
    comparison = Comparison(
        model=args.model,
        data=args.data,
        size=args.size,
        world=args.world,
        test_videos=args.test_videos,
        video_frames=args.video_frames,
        work_dir=args.work_dir,
        epochs=args.epochs,
        finetune_epochs=args.finetune_epochs,
    )
    results = comparison.run(
        args.rows or TABLES[args.table], args.seeds, args.rounds
    )
    name = f'{args.model}_{"rows" if args.rows else args.table}'
    name += comparison.suffix.replace('-', '_')
    write_comparison(Path(args.out), name, args.seeds, results)


if __name__ == '__main__':
    run_script(run)
