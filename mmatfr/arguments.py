"""Command-line arguments that scripts share."""

import argparse
import os

from mmengine.config import DictAction

__all__ = [
    'add_cfg_options',
    'add_decode_once',
    'add_decoding',
    'make_parser',
    'refuse_below_one',
]


class _Settings(DictAction):
    """mmengine's action, with an error for what it cannot read."""

    def __call__(self, parser, namespace, values, option_string=None):
        try:
            super().__call__(parser, namespace, values, option_string)
        except (AssertionError, RecursionError, ValueError):
            parser.error(
                f'{option_string} {" ".join(values)}: expected name=value; '
                'set the keys of a dict one by one, as in a.b=1 a.c=x'
            )


def make_parser(description: str) -> argparse.ArgumentParser:
    """Creates a parser that keeps the line breaks of the description."""
    return argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_cfg_options(
    parser: argparse.ArgumentParser, of: str = 'the config'
) -> None:
    """Adds the option for settings that override a config.

    Args:
        parser (ArgumentParser): Where to.
        of (str): Which config. Defaults to 'the config'.
    """
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=_Settings,
        default={},
        help=f'settings that override {of}, name=value',
    )


def add_decode_once(parser: argparse.ArgumentParser) -> None:
    """Adds the option ``--decode-once`` of trainings."""
    parser.add_argument(
        '--decode-once',
        action='store_true',
        help='keep the frames of the videos in files beside them, which are '
        'much larger than the videos; trainings and tests are the same, and '
        'faster',
    )


def add_decoding(parser: argparse.ArgumentParser) -> None:
    """Adds the options for the length of a video and the processes."""
    parser.add_argument(
        '--min-frames',
        type=int,
        default=1,
        help='minimum number of frames of a good video (default: %(default)s)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=os.cpu_count(),
        help='number of processes (default: %(default)s, one per core)',
    )


def refuse_below_one(
    parser: argparse.ArgumentParser, args: argparse.Namespace, *names: str
) -> None:
    """Ends with an error if a number, or one of several, is less than 1.

    Args:
        parser (ArgumentParser): Whose options they are.
        args (Namespace): What it has parsed.
        *names (str): Attributes of ``args``.
    """
    for name in names:
        value = getattr(args, name)
        numbers = value if isinstance(value, list) else [value]
        if min(numbers) < 1:
            option = '--' + name.replace('_', '-')
            given = ' '.join(map(str, numbers))
            parser.error(f'{option} {given} must be at least 1')
