"""Puts sampling into a trained recognizer without training it.

The weights of the network without sampling are taken over as they are. With
`similarity='learned_path'` the heads of the layers, and nothing else, then
learn from clips of the training list what the network makes of their steps;
with `bin_range='data'` the layers look at clips, to learn how much happens in
one.
"""

import argparse
from itertools import islice
from pathlib import Path
from typing import Iterable

from mmengine.config import DictAction
from mmengine.runner import Runner

from mmatfr.apis import load_config, merge_options, see_clips
from mmatfr.cli import make_progress, run_script
from mmatfr.engine.sensitivity import fit_similarity, learned_similarities
from mmatfr.sgs import sgs_layers
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
    if not Path(args.checkpoint).is_file():
        raise FileNotFoundError(
            f'{args.checkpoint!r} does not exist; check the path'
        )
    out = Path(args.out)
    cfg.load_from = args.checkpoint
    cfg.work_dir = str(out.parent)
    runner = Runner.from_cfg(cfg)
    layers = sgs_layers(runner.model)
    if not layers:
        raise ValueError(
            f'{args.config!r} has no layer that samples; name a config '
            'with `sgs`'
        )
    runner.load_or_resume()
    loader = runner.build_dataloader(cfg.train_dataloader, seed=0)
    with make_progress() as progress:

        def first(number: int, description: str) -> Iterable[dict]:
            return progress.track(
                islice(loader, number),
                total=min(number, len(loader)),
                description=description,
            )

        if learned_similarities(runner.model):
            explained = fit_similarity(
                runner.model, first(args.fit_batches, 'look at steps')
            )
            for name, share in explained.items():
                print(
                    f'{name}: the head explains {100 * share:.0f} % of how '
                    'the steps differ'
                )
        see_clips(runner.model, first(args.batches, 'look at clips'))
    runner.save_checkpoint(
        str(out.parent),
        out.name,
        save_optimizer=False,
        save_param_scheduler=False,
    )
    print(f'written: {out}')


if __name__ == '__main__':
    run_script(run)
