"""Long demonstration: measures the savings of sampling on tempo.

It generates tempo small, trains a 3D ResNet, adds sampling, fine-tunes for a
few epochs, tests and times both networks, and draws groups. Every step is a
command of the README. Finished steps are skipped, and an interrupted training
continues.
"""

import argparse
import os
from pathlib import Path

from mmatfr.arguments import make_parser
from mmatfr.demos.comparison import Network, compare
from mmatfr.demos.training import run_tool

_NETWORKS = (
    Network(
        'ResNet3d', 'resnet3d-mini-dense_1xb12-16x2x1-12e_tempo-small-rgb', 12
    ),
    Network(
        'ResNet3d + ATFR',
        'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb',
        8,
    ),
)
_DATA = 'data/tempo/small'


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        '--out',
        default='results/tempo_demo',
        help='folder of the table and the figure (default: %(default)s)',
    )
    parser.add_argument(
        '--clips',
        type=int,
        default=96,
        help='number of test clips to time (default: %(default)s)',
    )
    parser.add_argument(
        '--rounds',
        type=int,
        default=5,
        help='number of rounds of timing (default: %(default)s)',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    os.chdir(Path(__file__).resolve().parents[1])
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    run_tool('tools/data/tempo/generate.py', '--size=small', f'--out={_DATA}')
    compare(_NETWORKS, _DATA, out, args.clips, args.rounds)


if __name__ == '__main__':
    main()
