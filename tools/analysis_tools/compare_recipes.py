"""Compares recipes on tempo in one table.

For each seed the network without sampling is trained once; in other worlds
than still it starts from that of the still world. Every row starts from these
weights, except for rows from scratch. All rows are trained with the same
schedule and tested on the test split; rows that only change the execution of a
trained network use the weights of another row. Finally all rows of a seed are
timed in turns. Finished steps are skipped, so an interrupted run continues
with the same command.
"""

import argparse
from pathlib import Path

import mmatfr  # noqa: F401
from mmatfr.arguments import add_decode_once, make_parser
from mmatfr.cli import run_script
from mmatfr.datasets.tempo import SIZES, WORLDS
from mmatfr.experiments.models import MODELS
from mmatfr.experiments.tempo import TempoComparison
from mmatfr.experiments.tempo_rows import REPORT, ROWS, TABLES


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
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
        help='set of rows (default: %(default)s)',
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
        help='size of the data set (default: %(default)s)',
    )
    parser.add_argument(
        '--world',
        choices=WORLDS,
        default='still',
        help='world of the videos; other worlds than still have separate '
        'data, trainings and reports (default: %(default)s)',
    )
    parser.add_argument(
        '--train-videos',
        type=int,
        help='number of training videos; data, trainings and reports are '
        'separate (default: that of the size)',
    )
    parser.add_argument(
        '--test-videos',
        type=int,
        help='number of test videos, generated in a folder next to the data '
        'set (default: the test split of the data set)',
    )
    parser.add_argument(
        '--test-world',
        choices=WORLDS,
        help='world of the test videos (default: that of the training)',
    )
    parser.add_argument(
        '--video-frames',
        type=int,
        help='length of the videos; a clip spans the whole video, so more '
        'frames are closer together; data, trainings and reports are '
        'separate (default: that of the size)',
    )
    parser.add_argument(
        '--work-dir',
        default='work_dirs/recipes',
        help='folder of the trainings (default: %(default)s)',
    )
    parser.add_argument(
        '--out',
        default='results/recipes',
        help='folder of the table and the figure, which are named by what is '
        'compared (default: %(default)s)',
    )
    parser.add_argument(
        '--epochs', type=int, help='of every training; overrides the configs'
    )
    parser.add_argument(
        '--finetune-epochs',
        type=int,
        help='of the rows; overrides the recipe',
    )
    add_decode_once(parser)
    parser.add_argument(
        '--start',
        metavar='CHECKPOINT',
        help='path or URL of weights from which the bases of all seeds start; '
        'trainings and reports are separate (default: in other worlds than '
        'still, the base of the still world)',
    )
    parser.add_argument(
        '--rounds',
        type=int,
        default=5,
        help='number of rounds of timing (default: %(default)s)',
    )
    return parser.parse_args()


def run() -> None:
    args = parse_args()
    comparison = TempoComparison(
        model=args.model,
        data=args.data,
        size=args.size,
        world=args.world,
        train_videos=args.train_videos,
        test_videos=args.test_videos,
        test_world=args.test_world,
        video_frames=args.video_frames,
        work_dir=args.work_dir,
        epochs=args.epochs,
        finetune_epochs=args.finetune_epochs,
        decode_once=args.decode_once,
        start=args.start,
    )
    results = comparison.run(
        args.rows or TABLES[args.table], args.seeds, args.rounds
    )
    name = f'{args.model}_{"rows" if args.rows else args.table}'
    if args.size != 'small':
        name += f'_{args.size}'
    name += comparison.report_suffix
    REPORT.write(Path(args.out), name, args.seeds, results)


if __name__ == '__main__':
    run_script(run)
