"""Shared command of the converters of checkpoints."""

import argparse
from typing import Callable

from mmatfr.checkpoint import (
    check_weights_of,
    fetch,
    read_checkpoint,
    write_checkpoint,
)
from mmatfr.cli import run_script


def run_converter(
    title: str, convert: Callable, container: str, sgs_stage: bool = False
) -> None:
    """Reads a checkpoint, converts its weights and writes them.

    Args:
        title (str): Description of the command.
        convert (Callable): Converts a state dict.
        container (str): Key of the weights in the output.
        sgs_stage (bool): Whether ``convert`` needs the stage before a sampling
            layer. Defaults to False.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument('checkpoint', help='path or URL of a checkpoint')
    parser.add_argument('out', help='path of the converted checkpoint')
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
        path = args.pop('checkpoint')
        loaded = read_checkpoint(fetch(path))['state_dict']
        loaded = loaded.get('model_state', loaded)
        check_weights_of(loaded, path)
        weights = convert(loaded, **args)
        write_checkpoint(out, {container: weights})
        print(f'{len(weights)} weights written to {out}')

    run_script(run)
