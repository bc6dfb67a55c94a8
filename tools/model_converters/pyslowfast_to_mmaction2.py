"""Converts a checkpoint of PySlowFast, with or without SGS, to mmaction2."""

import argparse
import os
import sys
from typing import Dict, Mapping, Optional, Sequence

from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

import mmatfr  # noqa: F401  registers the backbones
from mmatfr.checkpoint import load_local, write_checkpoint
from mmatfr.models.pyslowfast import convert_pyslowfast, enumerate_some

CONTAINERS = ('model_state', 'state_dict')


def load_weights(path: str) -> Mapping[str, Tensor]:
    """Reads the weights of a checkpoint without executing code from it.

    Args:
        path (str): Checkpoint.

    Returns:
        Mapping[str, Tensor]: Its weights.

    Raises:
        ValueError: If the file has no weights, or content that cannot be read
            safely.
    """
    content = load_local(path)
    if isinstance(content, Mapping):
        for name in CONTAINERS:
            content = content.get(name, content)
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(value, Tensor) for value in content.values())
    ):
        raise ValueError(
            f'{path} has no weights, neither at the top level nor under one '
            f'of {list(CONTAINERS)}'
        )
    return content


def list_missing(
    weights: Mapping[str, Tensor], config: str
) -> Dict[str, Tensor]:
    """Compares weights with the recognizer of a config.

    Args:
        weights (Mapping[str, Tensor]): Converted weights.
        config (str): Path of the config.

    Returns:
        dict[str, Tensor]: Weights of the recognizer that are missing.

    Raises:
        ValueError: If a weight does not match the recognizer.
    """
    cfg = Config.fromfile(config)
    if 'model' not in cfg:
        raise ValueError(f'{config} has no model; use a recognizer config')
    init_default_scope('mmaction')
    expected = MODELS.build(cfg.model).state_dict()
    wrong = [
        f'{name} {tuple(value.shape)} instead of '
        + (str(tuple(expected[name].shape)) if name in expected else 'none')
        for name, value in weights.items()
        if name not in expected or value.shape != expected[name].shape
    ]
    if wrong:
        raise ValueError(
            f'{len(wrong)} weights do not match the recognizer of '
            f'{config}: {enumerate_some(wrong)}'
        )
    return {
        name: value for name, value in expected.items() if name not in weights
    }


def convert(checkpoint: str, out: str, config: Optional[str] = None) -> None:
    """Converts a checkpoint and prints a summary.

    Args:
        checkpoint (str): Checkpoint of PySlowFast.
        out (str): Path of the converted checkpoint.
        config (str, optional): Config of the recognizer to compare with.
            Defaults to None.
    """
    weights = convert_pyslowfast(load_weights(checkpoint))
    if config is not None:
        missing = list_missing(weights, config)
        print(f'missing: {len(missing)}')
        for name, value in missing.items():
            print(f'  {name} {tuple(value.shape)}')
    write_checkpoint(out, dict(meta=dict(), state_dict=weights))
    print(f'{len(weights)} weights written to {out}')


def main(args: Optional[Sequence[str]] = None) -> None:
    """Runs the command.

    Args:
        args (Sequence[str], optional): Arguments. Defaults to those of this
            process.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint of PySlowFast')
    parser.add_argument('out', help='path of the converted checkpoint')
    parser.add_argument(
        '--config',
        help='config of a recognizer to compare the weights with; missing '
        'ones are listed',
    )
    try:
        convert(**vars(parser.parse_args(args)))
    except (ValueError, OSError) as error:
        if os.environ.get('MMATFR_TRACEBACK', '0') != '0':
            raise
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
