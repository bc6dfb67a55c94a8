"""What the converters of checkpoints have in common."""

import argparse
from typing import Callable

from torch import Tensor

from mmatfr.checkpoint import fetch, read_checkpoint, write_checkpoint
from mmatfr.cli import run_script


def run_converter(
    title: str, convert: Callable, container: str, sgs_stage: bool = False
) -> None:
    """Reads a checkpoint, converts its weights and writes them.

    Args:
        title (str): What the command says of itself.
        convert (Callable): From a state dict to another.
        container (str): Name of the weights in what is written.
        sgs_stage (bool): Whether ``convert`` has to be told after which stage
            a sampling layer is. Defaults to False.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument('checkpoint', help='path or URL of a checkpoint')
    parser.add_argument('out', help='where the converted one is written')
    if sgs_stage:
        parser.add_argument(
            '--sgs-stage',
            type=int,
            default=1,
            help='`sgs.stage` of the config (default: %(default)s)',
        )
    args = vars(parser.parse_args())

    def run() -> None:
        out = args.pop('out')
        loaded = read_checkpoint(fetch(args.pop('checkpoint')))['state_dict']
        loaded = loaded.get('model_state', loaded)
        if not all(isinstance(value, Tensor) for value in loaded.values()):
            raise ValueError('the checkpoint holds no weights; name another')
        weights = convert(loaded, **args)
        write_checkpoint(out, {container: weights})
        print(f'{len(weights)} weights written to {out}')

    run_script(run)
