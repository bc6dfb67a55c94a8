"""Puts sampling into a trained recognizer without training it.

The weights of the network without sampling are taken over as they are. With
`similarity='learned_path'` the heads of the layers, and nothing else, then
learn from clips of the training list what the network makes of their steps;
with `bin_range='data'` the layers look at clips, to learn how much happens in
one.
"""

import argparse

from mmengine.config import DictAction

from mmatfr.apis import load_config, merge_options, write_inserted
from mmatfr.cli import make_progress, run_script
from mmatfr.zoo.models import config_path


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'config',
        help='config of a recognizer that samples, by path or by name',
    )
    parser.add_argument(
        'checkpoint', help='of the same recognizer without sampling'
    )
    parser.add_argument('out', help='the checkpoint that is written')
    parser.add_argument(
        '--batches',
        type=int,
        default=20,
        help='number of batches that are looked at (default: %(default)s)',
    )
    parser.add_argument(
        '--fit-batches',
        type=int,
        default=100,
        help='number of batches that heads are fitted to (default: '
        '%(default)s)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings that go on top of the config, name=value',
    )
    args = parser.parse_args()
    for name in ('batches', 'fit_batches'):
        if getattr(args, name) < 1:
            option = name.replace('_', '-')
            parser.error(f'--{option} {getattr(args, name)} must be positive')
    return args


def run() -> None:
    args = parse_args()
    cfg = load_config(config_path(args.config))
    merge_options(cfg, args.cfg_options)
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
            f'{name}: the head explains {100 * share:.0f} % of how the steps '
            'differ'
        )
    print(f'written: {args.out}')


if __name__ == '__main__':
    run_script(run)
