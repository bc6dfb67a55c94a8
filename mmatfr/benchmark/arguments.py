"""Command-line options shared by the scripts."""

import argparse
from typing import List, Optional

import torch

from mmatfr.deploy import available_engines

from .contenders import ENGINE_CHOICES
from .models import MODELS
from .options import EXECUTIONS, PADDINGS, PRECISIONS, WORKS

__all__ = [
    'add_cuda_graph',
    'add_engines',
    'add_lengths',
    'add_models',
    'add_run',
    'add_shape',
    'add_variants',
    'check_engines',
    'check_options',
    'named_engines',
]

# Options that also apply to --engine.
_WITH_ENGINE = {
    'config',
    'checkpoint',
    'cfg_options',
    'shape',
    'rounds',
    'seed',
    'threads',
    'engine',
    'kept',
    'work_dir',
    'out',
}


def add_models(parser: argparse.ArgumentParser) -> None:
    """Adds the option for the recognizers of a table."""
    *most, last = MODELS
    parser.add_argument(
        '--models',
        nargs='+',
        choices=list(MODELS),
        default=most,
        help=f'default: all but {last}',
    )


def add_shape(parser: argparse.ArgumentParser, default: str) -> None:
    """Adds the option for the size of the clips.

    Args:
        parser (ArgumentParser): Where to.
        default (str): Description of the default size.
    """
    parser.add_argument(
        '--shape',
        type=int,
        nargs=3,
        metavar=('T', 'H', 'W'),
        help=f'size of the clips (default: {default})',
    )


def add_cuda_graph(parser: argparse.ArgumentParser) -> None:
    """Adds the option for a CUDA graph of the base."""
    parser.add_argument(
        '--cuda-graph',
        action='store_true',
        help='also time forwards of the base as a CUDA graph, which starts '
        'all its operations at once (only for --work forward)',
    )


def add_run(
    parser: argparse.ArgumentParser,
    out: str,
    rounds: Optional[int] = 5,
    device: bool = True,
    precision: bool = False,
    seed: bool = False,
) -> None:
    """Adds the options for rounds, device, precision, seed and report.

    Args:
        parser (ArgumentParser): Where to.
        out (str): Default folder of the report.
        rounds (int, optional): Default number of rounds; None means 5, or 10
            with --engine. Defaults to 5.
        device (bool): Whether to add --device.
        precision (bool): Whether to add --precision.
        seed (bool): Whether to add --seed.
    """
    parser.add_argument(
        '--rounds',
        type=int,
        default=rounds,
        help='number of rounds of timing (default: '
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
    """Adds the options for the lengths of the clips, given or drawn."""
    lengths = parser.add_mutually_exclusive_group()
    lengths.add_argument(
        '--lengths',
        type=lambda text: tuple(map(int, text.split(','))),
        nargs='+',
        metavar='B',
        help="B' of the clips, repeated in a cycle; separated by commas for "
        'several sampling layers: 2,16 3,20',
    )
    lengths.add_argument(
        '--resolution',
        type=float,
        nargs=2,
        metavar=('MEAN', 'STD'),
        help="draw B'/T of the clips from a normal distribution",
    )


def add_variants(parser: argparse.ArgumentParser) -> None:
    """Adds the options for a recognizer, its padded forms, and their clips."""
    parser.add_argument(
        'config',
        help='config of a recognizer that samples, path or name',
    )
    parser.add_argument('--checkpoint', help='its checkpoint')
    base = parser.add_mutually_exclusive_group()
    base.add_argument(
        '--baseline',
        metavar='CONFIG2',
        help='config of the base (default: the config without sampling)',
    )
    base.add_argument(
        '--padding',
        choices=PADDINGS,
        help="padded: also time the authors' way, clips padded with zeros to "
        'the longest of the batch, on the base (3D, one pathway); longest: '
        'also time a lower bound of this for any recognizer, where every '
        'clip has as many groups as the longest of its batch',
    )
    parser.add_argument(
        '--fast-base',
        action='store_true',
        help='also time the base with channels_last=True: all speed-ups '
        'except sampling (see docs/performance.md); on a GPU, where it is not '
        'the default, also the recognizer',
    )
    parser.add_argument(
        '--fuse',
        action='store_true',
        help='also time the recognizer and the base with channels_last=True '
        'after mmatfr.models.fuse (not for --work train)',
    )
    add_cuda_graph(parser)
    parser.add_argument(
        '--work',
        nargs='+',
        choices=WORKS,
        default=['forward'],
        help='work to time (default: forward)',
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
        help='number of clips (pipeline: videos) per round '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=0,
        help='number of processes for decoding (default: %(default)s)',
    )


def add_engines(parser: argparse._ActionsContainer) -> None:
    """Adds the options for a comparison of engines."""
    parser.add_argument(
        '--engine',
        nargs='+',
        choices=['all', *ENGINE_CHOICES],
        help="compare engines on one clip: PyTorch's eager mode, inductor "
        'with freezing, and exported files in ONNX Runtime and OpenVINO; '
        'all: all that are installed',
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
        help='with --engine: folder of the exported files, which are reused '
        '(default: %(default)s)',
    )


def check_engines(
    parser: argparse.ArgumentParser, args: argparse.Namespace
) -> None:
    """Exits with an error if an option for engines is invalid.

    Args:
        parser (ArgumentParser): The parser of the options.
        args (Namespace): Arguments with ``kept``, ``rounds`` and ``threads``.
    """
    for share in args.kept or ():
        if not 0 < share <= 1:
            parser.error(
                f'--kept {share:g} must be greater than 0 and at most 1'
            )
    if args.rounds < 1:
        parser.error(f'--rounds {args.rounds} must be positive')
    if min(args.threads or [1]) < 1:
        parser.error(f'--threads {args.threads} must be positive')


def check_options(
    parser: argparse.ArgumentParser, args: argparse.Namespace
) -> None:
    """Exits with an error if options for engines and for variants are mixed.

    Args:
        parser (ArgumentParser): The parser of the options.
        args (Namespace): Arguments of both.
    """
    if args.engine:
        for name in set(vars(args)) - _WITH_ENGINE:
            if getattr(args, name) != parser.get_default(name):
                option = name.replace('_', '-')
                parser.error(f'--{option} does not work with --engine')
    elif args.kept:
        parser.error('--kept needs --engine; see --resolution')
    elif len(args.threads or ()) > 1:
        parser.error(f'--threads {args.threads}: several need --engine')


def named_engines(args: argparse.Namespace) -> List[str]:
    """Returns the selected engines, with 'all' replaced by their names."""
    if 'all' in args.engine:
        return ['eager', 'inductor', *available_engines()]
    return args.engine
