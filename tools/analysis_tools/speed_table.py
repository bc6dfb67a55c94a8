"""What sampling saves in time, for several recognizers: one table.

Each is timed against its base by `benchmark.py`, half of the frames kept on
average, clips unequal: evaluation clip by clip and in batches, training steps,
and as a peer the authors' padding beside it (benchmark.py --peer). R is the
ratio of the times over the ratio of the GFLOPs; R' the same against a base
that runs with channels_last=True as well.
"""

import argparse
from pathlib import Path
from typing import Dict, List, Tuple

import torch
from benchmark import PRECISIONS, Benchmark
from benchmark import parse_args as parse_benchmark
from rich.console import Console

from mmatfr.cli import make_progress, make_table, run_script, write_report

_CONFIGS = Path(__file__).parents[2] / 'configs/recognition'
MODELS = {
    'x3d-s': 'x3d/x3d_s-atfr_8xb16-13x6x1-300e_kinetics400-rgb.py',
    'x3d-m': 'x3d/x3d_m-atfr_8xb16-16x5x1-300e_kinetics400-rgb.py',
    'slowfast-4x16-r50': 'slowfast/'
    'slowfast_r50-atfr_8xb8-4x16x1-256e_kinetics400-rgb.py',
    'resnet3d-r50': 'resnet3d/resnet3d_imagenet-pretrained-r50-atfr_'
    '8xb8-32x2x1-100e_kinetics400-rgb.py',
    'tsm-r50': 'tsm/'
    'tsm_imagenet-pretrained-r50-atfr_8xb16-1x1x8-50e_kinetics400-rgb.py',
    'x3d-xl': 'x3d/x3d_xl-atfr_8xb8-16x5x1-256e-alpha_kinetics400-rgb.py',
}
# The sizes at which they are trained, those of their tests are larger; but the
# frames of the 3D ResNet, which are half as wide.
_SHAPES = {
    'x3d-s': (13, 160, 160),
    'x3d-m': (16, 224, 224),
    'slowfast-4x16-r50': (32, 224, 224),
    'resnet3d-r50': (32, 112, 112),
    'tsm-r50': (8, 224, 224),
    'x3d-xl': (16, 312, 312),
}
# Padding itself can be had of 3D backbones of one pathway, of the others the
# least that it can cost.
_PEERS = {'slowfast-4x16-r50': 'longest', 'tsm-r50': 'longest'}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--models',
        nargs='+',
        choices=list(MODELS),
        default=list(MODELS)[:-1],
        help='default: all but x3d-xl',
    )
    parser.add_argument(
        '--eval-batches',
        type=int,
        nargs='*',
        default=[1, 8],
        help='default: 1 8',
    )
    parser.add_argument(
        '--train-batch', type=int, default=8, help='0: none (default: 8)'
    )
    parser.add_argument(
        '--shape',
        type=int,
        nargs=3,
        metavar=('T', 'H', 'W'),
        help="of the clips of all (default: each model's)",
    )
    parser.add_argument(
        '--resolution',
        nargs=2,
        default=('0.5', '0.2'),
        metavar=('MEAN', 'STD'),
        help="of B'/T (default: 0.5 0.2)",
    )
    parser.add_argument(
        '--rounds', type=int, default=5, help='default: %(default)s'
    )
    parser.add_argument(
        '--precision',
        choices=list(PRECISIONS),
        default='fp32',
        help='autocast to this precision (default: %(default)s)',
    )
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='default: %(default)s',
    )
    parser.add_argument(
        '--out',
        default='results/speed_table',
        help='folder of the JSON file (default: %(default)s)',
    )
    return parser.parse_args()


def find_config(name: str) -> str:
    """Finds the config of a recognizer.

    Args:
        name (str): Key of ``MODELS``.

    Returns:
        str: Its path.
    """
    return str(_CONFIGS / MODELS[name])


def shape_of(name: str) -> Tuple[int, int, int]:
    """Size of the clips that a recognizer is timed on.

    Args:
        name (str): Key of ``MODELS``.

    Returns:
        tuple[int, int, int]: (T, H, W).
    """
    return _SHAPES[name]


def run_model(name: str, args: argparse.Namespace, progress) -> List[Dict]:
    """Times a recognizer at everything that is asked for."""
    cases = [('forward', size) for size in args.eval_batches]
    if args.train_batch:
        cases.append(('train', args.train_batch))
    most = max(size for _, size in cases)
    benchmark = Benchmark(
        parse_benchmark(
            [
                find_config(name),
                '--fast-base',
                *('--peer', _PEERS.get(name, 'padded')),
                *('--resolution', *args.resolution),
                *('--rounds', str(args.rounds)),
                *('--clips', str(most)),
                '--shape',
                *map(str, args.shape or shape_of(name)),
                *('--precision', args.precision, '--device', args.device),
            ]
        )
    )
    rows = []
    for work, size in cases:
        for row in benchmark.run_case(work, size, progress):
            rows.append(dict(model=name, **row))
    return rows


def print_rows(rows: List[Dict], console: Console) -> None:
    """Prints one line for each model and kind of work."""
    table = make_table(
        'sampling against the base',
        (
            'model, work, clips',
            'base ms/clip',
            'ATFR ms/clip',
            'time [min, max]',
            'GFLOPs',
            'R',
            "R'",
            'peer/ATFR',
            'SGS',
            'memory',
        ),
    )
    cases = dict.fromkeys(
        (row['model'], row['work'], row['batch_size']) for row in rows
    )
    for case in cases:
        side = {
            row['side']: row
            for row in rows
            if (row['model'], row['work'], row['batch_size']) == case
        }
        base, ours = side['base'], side['ATFR']
        fast = side['base, channels last']
        peer = side[_PEERS.get(case[0], 'padded')]
        seconds = ours['seconds_per_clip']
        table.add_row(
            ', '.join(map(str, case)),
            f'{1e3 * base["seconds_per_clip"]:.4g}',
            f'{1e3 * seconds:.4g}',
            f'{ours["time_ratio"]:.2f} [{ours["time_ratio_low"]:.2f}, '
            f'{ours["time_ratio_high"]:.2f}]',
            f'{ours["gflops_ratio"]:.2f}',
            f'{ours["time_over_gflops"]:.2f}',
            f'{seconds / fast["seconds_per_clip"] / ours["gflops_ratio"]:.2f}',
            # One clip is its own longest.
            f'{peer["seconds_per_clip"] / seconds:.2f}' if case[2] > 1 else '',
            f'{100 * ours["sgs_over_base"]:.1f} %',
            f'{ours["memory"] / base["memory"]:.2f}',
        )
    console.print(table)


def run(args: argparse.Namespace) -> None:
    rows: List[Dict] = []
    with make_progress() as progress:
        for name in args.models:
            rows += run_model(name, args, progress)
            write_report(Path(args.out), 'speed_table', dict(rows=rows))
    print_rows(rows, Console(width=120))


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
