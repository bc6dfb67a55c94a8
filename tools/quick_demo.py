"""Short demonstration: runs released weights, then a short training.

It generates a few hundred videos, tests the released networks on them with and
without sampling, draws the groups, and trains one of the networks from scratch
with a live curve. Finished steps are skipped, and an interrupted training
continues.
"""

import argparse
import os
from pathlib import Path

from mmatfr.arguments import make_parser
from mmatfr.demos.curve import describe_epoch, draw_curve, read_curve
from mmatfr.demos.tempo import show_released
from mmatfr.demos.training import run_tool, train

_NAME = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'
_DATA = 'data/tempo/demo'


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        '--out',
        default='results/quick_demo',
        help='folder of the figures (default: %(default)s)',
    )
    parser.add_argument(
        '--epochs',
        type=int,
        default=6,
        help='epochs of the short training, 0 for none (default: %(default)s)',
    )
    for split, count in (('train', 1200), ('val', 60), ('test', 120)):
        parser.add_argument(
            f'--{split}',
            type=int,
            default=count,
            help=f'number of videos of {split} (default: %(default)s)',
        )
    return parser.parse_args()


def generate(args: argparse.Namespace) -> None:
    """Generates the videos, unless they exist."""
    splits = ('train', 'val', 'test')
    run_tool(
        'tools/data/tempo/generate.py',
        *('--size', 'small', '--out', _DATA),
        *(f'--{split}={getattr(args, split)}' for split in splits),
    )


def train_shortly(args: argparse.Namespace, out: Path) -> None:
    """Trains a network with sampling from scratch and shows the curve."""
    # With other videos or epochs it is another training.
    work_dir = Path(f'work_dirs/quick_demo_{args.train}x{args.epochs}')
    options = {
        'load_from': None,
        'train_cfg.max_epochs': args.epochs,
        'train_cfg.val_begin': 1,
        'train_cfg.val_interval': 1,
        'param_scheduler.0.eta_max': 2e-3,
        'param_scheduler.0.total_steps': args.epochs,
        'default_hooks.logger.interval': 10,
    }
    for split in ('train', 'val', 'test'):
        dataset = f'{split}_dataloader.dataset'
        options[f'{dataset}.data_root'] = _DATA
        options[f'{dataset}.metainfo.classes'] = f'{_DATA}/classes.txt'

    def show_epoch() -> None:
        curve = read_curve(work_dir)
        print(describe_epoch(curve, args.epochs))
        draw_curve(curve, args.epochs, out / 'curve.png')

    print(
        f'short training of resnet3d-mini-dense with sampling, '
        f'from scratch, on {args.train} videos; the live curve is '
        f'{out / "curve.png"}'
    )
    train(
        'shortly',
        _NAME,
        args.epochs,
        work_dir,
        [
            *('--work-dir', str(work_dir)),
            '--cfg-options',
            *(f'{name}={value}' for name, value in options.items()),
        ],
        show_epoch,
    )
    draw_curve(read_curve(work_dir), args.epochs, out / 'curve.png')


def main() -> None:
    args = parse_args()
    os.chdir(Path(__file__).resolve().parents[1])
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    generate(args)
    show_released(_DATA, _NAME, out / 'groups.png')
    if args.epochs:
        train_shortly(args, out)
        print(
            f'loss and accuracy: {out / "curve.png"}. `make train-demo` '
            'trains to the accuracy of the released weights'
        )


if __name__ == '__main__':
    main()
