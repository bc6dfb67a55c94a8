"""Checks that tempo requires the order of the frames.

It trains the same small network three times: on frames in order, on single
frames, and on frames in random order. Only the first should be accurate.
"""

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from rich.console import Console
from rich.table import Table

from mmatfr.atomic_write import write_text
from mmatfr.datasets.tempo import (
    CLASSES,
    WORLDS,
    TempoError,
    get_size,
    write_tempo,
)

_CONFIGS = Path(__file__).parents[3] / 'configs/recognition/resnet3d'
# Input of the network, its config and the theoretical ceiling: the pose of one
# frame reveals nothing about the class, and a clip in random order is equally
# likely to be of a class and of its time reversal.
_VIEWS = {
    'ordered': (
        '16 frames in order',
        'resnet3d-mini_1xb12-16x2x1-8e_tempo-small-rgb.py',
        1.0,
    ),
    'single': (
        '16 single frames, averaged',
        'resnet3d-mini_1xb12-1x1x16-8e_tempo-small-rgb.py',
        1 / len(CLASSES),
    ),
    'shuffled': (
        '16 frames in random order',
        'resnet3d-mini_1xb12-shuffled-16x2x1-8e_tempo-small-rgb.py',
        0.5,
    ),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
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
        '--views', nargs='+', choices=list(_VIEWS), default=list(_VIEWS)
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument(
        '--epochs', type=int, help='number of epochs (default: of the configs)'
    )
    args = parser.parse_args()
    suffix = '' if args.world == 'still' else f'-{args.world}'
    args.data = args.data or f'data/tempo/small{suffix}'
    args.work_dir = args.work_dir or f'work_dirs/tempo_shortcuts{suffix}'
    return args


def train_and_test(view: str, seed: int, args: argparse.Namespace) -> dict:
    """Trains and tests one network.

    Args:
        view (str): Input of the network, a key of ``_VIEWS``.
        seed (int): Seed of the training.
        args (argparse.Namespace): Arguments of the command.

    Returns:
        dict: A row of the table, with ``top1`` in [0, 1] and ``seconds`` in
        total.
    """
    text, name, ceiling = _VIEWS[view]
    cfg = Config.fromfile(_CONFIGS / name)
    cfg.work_dir = os.path.join(args.work_dir, f'{view}_seed{seed}')
    cfg.randomness = dict(seed=seed)
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.dataset.data_root = args.data
    if args.epochs is not None:
        cfg.train_cfg.max_epochs = args.epochs
        cfg.param_scheduler[0].total_steps = args.epochs
    begin = time.perf_counter()
    runner = Runner.from_cfg(cfg)
    runner.train()
    metrics = runner.test()
    return dict(
        view=view,
        input=text,
        seed=seed,
        epochs=cfg.train_cfg.max_epochs,
        top1=round(float(metrics['acc/top1']), 4),
        ceiling=round(ceiling, 4),
        seconds=round(time.perf_counter() - begin, 1),
    )


def main() -> int:
    args = parse_args()
    if args.epochs is not None and args.epochs < 1:
        print(
            f'check_shortcuts.py: error: epochs {args.epochs} is not '
            'possible: choose at least 1',
            file=sys.stderr,
        )
        return 1
    try:
        tempo = replace(get_size('small'), world=args.world)
        for _ in write_tempo(args.data, tempo) or ():
            pass
    except TempoError as error:
        print(f'check_shortcuts.py: error: {error}', file=sys.stderr)
        return 1

    rows = [
        train_and_test(view, seed, args)
        for seed in args.seeds
        for view in args.views
    ]
    report = dict(
        data=args.data,
        world=args.world,
        classes=len(CLASSES),
        chance=round(1 / len(CLASSES), 4),
        machine=dict(
            cores=os.cpu_count(),
            threads=torch.get_num_threads(),
            gpu=(
                torch.cuda.get_device_name()
                if torch.cuda.is_available()
                else None
            ),
            python=platform.python_version(),
            torch=torch.__version__,
        ),
        rows=rows,
    )
    path = Path(args.work_dir) / 'shortcuts.json'
    write_text(path, json.dumps(report, indent=2) + '\n')

    table = Table(
        title=f'{args.world}: {len(CLASSES)} classes, '
        f'chance {100 / len(CLASSES):.1f} %'
    )
    for column in ('input', 'seed', 'epochs', 'top-1 %', 'ceiling %', 's'):
        table.add_column(
            column, justify='left' if column == 'input' else 'right'
        )
    for row in rows:
        percent = [f'{100 * row[key]:.1f}' for key in ('top1', 'ceiling')]
        table.add_row(
            row['input'],
            str(row['seed']),
            str(row['epochs']),
            *percent,
            f'{row["seconds"]:.0f}',
        )
    console = Console()
    console.print(table)
    console.print(', '.join(f'{k} {v}' for k, v in report['machine'].items()))
    console.print(f'written to {path}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
