"""Exports a recognizer as one ONNX file that computes B' itself.

The file takes a decoded clip and the number of bins, so the budget can be set
at run time. Before it is saved, it is compared with PyTorch in every installed
engine, on clips with B' from 1 to T.
"""

import argparse
from typing import List, Optional

from rich.console import Console

from mmatfr.apis import (
    build_recognizer,
    load_config,
    load_recognizer,
)
from mmatfr.arguments import add_cfg_options, make_parser
from mmatfr.cli import make_progress, run_script, show_steps
from mmatfr.deploy import ENGINES, export_onnx
from mmatfr.zoo.models import config_path, find_checkpoint


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('config', help='a config, path or name')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='its checkpoint, or "released" (default: initial weights, to '
        'measure times)',
    )
    parser.add_argument('out', help='the file, *.onnx')
    parser.add_argument(
        '--engines',
        nargs='+',
        choices=list(ENGINES),
        help='engines to compare with PyTorch (default: all installed)',
    )
    parser.add_argument(
        '--rtol',
        type=float,
        default=1e-4,
        help='largest difference of scores, relative to the largest '
        '(default: %(default)s)',
    )
    add_cfg_options(parser)
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    cfg = load_config(config_path(args.config), args.cfg_options)
    checkpoint = None
    if args.checkpoint:
        checkpoint = find_checkpoint(args.config, args.checkpoint)
        recognizer = load_recognizer(cfg, checkpoint)
    else:
        recognizer = build_recognizer(cfg.model)
    with make_progress() as progress:
        info = export_onnx(
            recognizer,
            cfg,
            args.out,
            checkpoint,
            args.engines,
            args.rtol,
            show_steps(progress),
        )
    console = Console(soft_wrap=True)
    console.print(f'written: {args.out}')
    for name, result in info.verified.items():
        lengths = ' and '.join(
            f'{min(column)} to {max(column)}' for column in result['lengths']
        )
        console.print(
            f'{name}: as PyTorch on {result["clips"]} clips'
            + (f" with B' {lengths}" if lengths else '')
            + f', scores within {result["largest_difference"]:.1g}'
        )


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
