"""The options that the scripts of this package share."""

import argparse
from typing import List, Optional

import torch
from mmengine.config import DictAction

from mmatfr.deploy import available_engines

from .contenders import ENGINE_CHOICES
from .models import MODELS
from .options import EXECUTIONS, PEERS, PRECISIONS, WORKS

__all__ = [
    'add_cfg_options',
    'add_engines',
    'add_lengths',
    'add_models',
    'add_run',
    'add_shape',
    'add_sides',
    'check_engines',
    'make_parser',
    'named_engines',
]


def make_parser(description: str) -> argparse.ArgumentParser:
    """Makes a parser that prints the description as it is written."""
    return argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_models(parser: argparse.ArgumentParser) -> None:
    """Adds the choice of recognizers of a table."""
    *most, last = MODELS
    parser.add_argument(
        '--models',
        nargs='+',
        choices=list(MODELS),
        default=most,
        help=f'default: all but {last}',
    )


def add_shape(parser: argparse.ArgumentParser, default: str) -> None:
    """Adds the size of the clips.

    Args:
        parser (ArgumentParser): Where to.
        default (str): Whose size it is by default.
    """
    parser.add_argument(
        '--shape',
        type=int,
        nargs=3,
        metavar=('T', 'H', 'W'),
        help=f'size of the clips (default: {default})',
    )


def add_cfg_options(parser: argparse.ArgumentParser, of: str) -> None:
    """Adds settings that go on top of a config."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help=f'settings that go on top of {of}, name=value',
    )


def add_run(
    parser: argparse.ArgumentParser,
    out: str,
    rounds: Optional[int] = 5,
    device: bool = True,
    precision: bool = False,
    seed: bool = False,
) -> None:
    """Adds how often, where and how to run, and where the report goes.

    Args:
        parser (ArgumentParser): Where to.
        out (str): Default folder of the report.
        rounds (int, optional): Default number of rounds; None where it is 5,
            with --engine 10. Defaults to 5.
        device (bool): Whether there is a choice of the device.
        precision (bool): Whether there is a choice of the precision.
        seed (bool): Whether anything is drawn at random.
    """
    parser.add_argument(
        '--rounds',
        type=int,
        default=rounds,
        help='how often everything is timed (default: '
        + ('5, with --engine 10)' if rounds is None else '%(default)s)'),
    )
    if device:
        parser.add_argument(
            '--device',
            default='cuda' if torch.cuda.is_available() else 'cpu',
            help='default: %(default)s',
        )
    if precision:
        parser.add_argument(
            '--precision',
            choices=list(PRECISIONS),
            default='fp32',
            help='autocast to this precision (default: %(default)s)',
        )
    if seed:
        parser.add_argument(
            '--seed', type=int, default=0, help='default: %(default)s'
        )
    parser.add_argument(
        '--out',
        default=out,
        help='folder of the report (default: %(default)s)',
    )


def add_lengths(parser: argparse.ArgumentParser) -> None:
    """Adds the lengths of the clips, given or drawn."""
    lengths = parser.add_mutually_exclusive_group()
    lengths.add_argument(
        '--lengths',
        type=lambda text: tuple(map(int, text.split(','))),
        nargs='+',
        metavar='B',
        help="B' of the clips, over and over; where several layers sample, "
        'with a comma between them: 2,16 3,20',
    )
    lengths.add_argument(
        '--resolution',
        type=float,
        nargs=2,
        metavar=('MEAN', 'STD'),
        help="draw B'/T of the clips from a normal distribution",
    )


def add_sides(parser: argparse.ArgumentParser) -> None:
    """Adds a recognizer, its peers, and the clips that they run on."""
    parser.add_argument(
        'config',
        help='config of a recognizer that samples, by path or by name',
    )
    parser.add_argument('--checkpoint', help='its checkpoint')
    base = parser.add_mutually_exclusive_group()
    base.add_argument(
        '--baseline',
        metavar='CONFIG2',
        help='config of the base (default: the config without sampling)',
    )
    base.add_argument(
        '--peer',
        choices=PEERS,
        help="padded: also time the authors' way, zeros up to the longest "
        'clip of the batch, on the base (3D, one pathway); longest: the least '
        'that it can cost, for any recognizer: itself, every clip with as '
        'many groups as the longest of its batch',
    )
    parser.add_argument(
        '--fast-base',
        action='store_true',
        help='also time the base with what makes the recognizer fast and is '
        'not sampling: channels_last=True (see docs/performance.md)',
    )
    parser.add_argument(
        '--fuse',
        action='store_true',
        help='also time the recognizer and the base with channels_last=True '
        'after mmatfr.models.fuse (not for --work train)',
    )
    parser.add_argument(
        '--work',
        nargs='+',
        choices=WORKS,
        default=['forward'],
        help='what is timed (default: forward)',
    )
    parser.add_argument(
        '--batch-sizes',
        type=int,
        nargs='+',
        default=[1, 8],
        help='default: 1 8',
    )
    parser.add_argument(
        '--execution',
        nargs='+',
        choices=EXECUTIONS,
        help="execution of the recognizer (default: the config's)",
    )
    add_lengths(parser)
    add_shape(parser, 'that of the test pipeline')
    parser.add_argument(
        '--clips',
        type=int,
        default=32,
        help='number of clips (pipeline: videos) of a round '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=0,
        help='processes that decode (default: %(default)s)',
    )


def add_engines(parser: argparse._ActionsContainer) -> None:
    """Adds the options of a comparison of engines."""
    parser.add_argument(
        '--engine',
        nargs='+',
        choices=['all', *ENGINE_CHOICES],
        help="compare ways to run one clip: PyTorch's eager mode, inductor "
        'with freezing, and exported files in ONNX Runtime and OpenVINO; '
        'all: whatever is installed',
    )
    parser.add_argument(
        '--kept',
        type=float,
        nargs='+',
        metavar='SHARE',
        help="with --engine: B'/T of the clip (default: 0.5)",
    )
    parser.add_argument(
        '--work-dir',
        default='work_dirs/engines',
        help='with --engine: folder of the exported files, which are written '
        'once (default: %(default)s)',
    )


def check_engines(
    parser: argparse.ArgumentParser, args: argparse.Namespace
) -> None:
    """Ends with an error where an option of engines is not what it should be.

    Args:
        parser (ArgumentParser): Whose options they are.
        args (Namespace): With ``kept``, ``rounds`` and ``threads``.
    """
    for share in args.kept or ():
        if not 0 < share <= 1:
            parser.error(f'--kept {share:g} must be more than 0, at most 1')
    if args.rounds < 1:
        parser.error(f'--rounds {args.rounds} must be positive')
    if min(args.threads or [1]) < 1:
        parser.error(f'--threads {args.threads} must be positive')


def named_engines(args: argparse.Namespace) -> List[str]:
    """The engines that are asked for, 'all' replaced by their names."""
    if 'all' in args.engine:
        return ['eager', 'inductor', *available_engines()]
    return args.engine
