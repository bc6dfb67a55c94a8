"""Adds sampling to a trained recognizer without training it.

The weights of the network without sampling do not change. With
`similarity='learned_path'` only the heads of the layers are fitted, to the
gains of the network on clips of the training list. With `bin_range='data'` the
layers estimate the range of their bins from clips.
"""

import argparse

from mmatfr.apis import load_config, write_inserted
from mmatfr.arguments import add_cfg_options, make_parser, refuse_below_one
from mmatfr.cli import make_progress, run_script
from mmatfr.zoo.models import config_path


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        'config',
        help='config of a recognizer that samples, path or name',
    )
    parser.add_argument(
        'checkpoint', help='checkpoint of the recognizer without sampling'
    )
    parser.add_argument('out', help='path of the new checkpoint')
    parser.add_argument(
        '--batches',
        type=int,
        default=20,
        help='number of batches for the range of bins (default: %(default)s)',
    )
    parser.add_argument(
        '--fit-batches',
        type=int,
        default=100,
        help='number of batches for fitting heads (default: %(default)s)',
    )
    add_cfg_options(parser)
    args = parser.parse_args()
    refuse_below_one(parser, args, 'batches', 'fit_batches')
    return args


def run() -> None:
    args = parse_args()
    cfg = load_config(config_path(args.config), args.cfg_options)
    with make_progress() as progress:
        explained = write_inserted(
            cfg,
            args.checkpoint,
            args.out,
            num_fitted=args.fit_batches,
            num_seen=args.batches,
            track=progress.track,
        )
    for name, share in explained.items():
        print(
            f'{name}: the head explains {100 * share:.0f} % of the '
            'differences between the steps'
        )
    print(f'written: {args.out}')


if __name__ == '__main__':
    run_script(run)
