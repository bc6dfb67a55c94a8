"""Shared command of the converters of checkpoints."""

import argparse
from typing import Callable, Mapping

from torch import Tensor

from mmatfr.apis import build_recognizer, load_config
from mmatfr.checkpoint import (
    check_fit,
    check_weights_of,
    fetch,
    read_checkpoint,
    write_checkpoint,
)
from mmatfr.cli import run_script

# Keys of the weights in checkpoints of the other packages and of mmaction2.
THEIRS, OURS = 'model_state', 'state_dict'


def run_converter(
    title: str, convert: Callable, container: str, sgs_stage: bool = False
) -> None:
    """Reads a checkpoint, converts its weights and writes them.

    Args:
        title (str): Description of the command.
        convert (Callable): Converts a state dict.
        container (str): Key of the weights in the output, ``THEIRS`` or
            ``OURS``.
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
    if container == OURS:
        parser.add_argument(
            '--config',
            help='config of a recognizer to compare the weights with; '
            'missing ones are listed',
        )
    args = vars(parser.parse_args())

    def run() -> None:
        out = args.pop('out')
        path = args.pop('checkpoint')
        config = args.pop('config', None)
        loaded = read_checkpoint(fetch(path))['state_dict']
        loaded = loaded.get(THEIRS, loaded)
        check_weights_of(loaded, path)
        weights = convert(loaded, **args)
        if config is not None:
            list_missing(weights, path, config)
        write_checkpoint(out, {container: weights})
        print(f'{len(weights)} weights written to {out}')

    run_script(run)


def list_missing(
    weights: Mapping[str, Tensor], path: str, config: str
) -> None:
    """Prints which weights of the recognizer of a config are missing.

    Args:
        weights (Mapping[str, Tensor]): Converted weights.
        path (str): Path of the checkpoint, for messages.
        config (str): Path of the config.

    Raises:
        ValueError: If a weight does not match the recognizer.
    """
    own = build_recognizer(load_config(config).model).state_dict()
    there = {name: x for name, x in own.items() if name in weights}
    check_fit(there, weights, path, config)
    missing = [name for name in own if name not in there]
    print(f'missing: {len(missing)}')
    for name in missing:
        print(f'  {name} {tuple(own[name].shape)}')
