"""Quantizes an exported recognizer to 8 bits.

The ranges are calibrated on the validation split of the config. Nodes that
determine the groups stay in float. The file is saved only if its accuracy on
the test split stays within the tolerance. Both files are then timed in turns.
"""

import argparse
import statistics
from pathlib import Path
from typing import List, Optional

import numpy as np
from rich.console import Console

from mmatfr.apis import load_config
from mmatfr.arguments import add_cfg_options, make_parser
from mmatfr.cli import make_progress, make_table, run_script, show_steps
from mmatfr.deploy import ENGINES, load_model
from mmatfr.deploy.quantization import (
    compare_times,
    quantize_onnx,
    read_clips,
)
from mmatfr.zoo.models import config_path

# Number of clips to time in each round.
_NUM_TIMED = 12


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('model', help='the exported file, *.onnx')
    parser.add_argument('config', help='its config, path or name')
    parser.add_argument('out', help='the quantized file, *.onnx')
    parser.add_argument(
        '--subset',
        type=int,
        default=300,
        help='maximum number of calibration videos (default: %(default)s)',
    )
    parser.add_argument(
        '--tolerance',
        type=float,
        default=0.5,
        help='maximum loss of top-1 accuracy, in points (default: '
        '%(default)s)',
    )
    parser.add_argument(
        '--engines',
        nargs='+',
        choices=list(ENGINES),
        help='engines to test (default: all installed)',
    )
    parser.add_argument(
        '--rounds',
        type=int,
        default=10,
        help='number of rounds of timing (default: %(default)s)',
    )
    parser.add_argument(
        '--num-threads',
        type=int,
        help='number of threads in timing (default: all)',
    )
    add_cfg_options(parser)
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    cfg = load_config(config_path(args.config), args.cfg_options)
    if Path(args.model).resolve() == Path(args.out).resolve():
        raise ValueError(
            f'{args.out!r} is the file to quantize; choose another name for '
            'the result'
        )
    with make_progress() as progress:
        info = quantize_onnx(
            args.model,
            cfg,
            args.out,
            args.subset,
            args.tolerance,
            args.engines,
            show_steps(progress),
        )
    table = make_table(
        f'{args.model} and {args.out}',
        ('engine', '', 'top-1 %', "mean B'", 'ms/clip', 'time / float'),
    )
    for engine, metrics in info.quantized['accuracy'].items():
        models = {
            'float': load_model(
                args.model, engine, num_threads=args.num_threads
            ),
            'int8': load_model(args.out, engine, num_threads=args.num_threads),
        }
        clips = read_clips(models['float'], cfg, _NUM_TIMED)
        seconds = compare_times(models, list(clips), args.rounds)
        ratios = np.divide(seconds['int8'], seconds['float'])
        low, middle, high = np.percentile(ratios, (25, 50, 75))
        for name, found in metrics.items():
            table.add_row(
                engine,
                name,
                f'{100 * found["acc/top1"]:.2f}',
                f'{found["cost/length_mean"]:.2f}'
                if 'cost/length_mean' in found
                else '',
                f'{1000 * statistics.median(seconds[name]):.2f}',
                f'{middle:.2f} ({low:.2f} to {high:.2f})'
                if name == 'int8'
                else '',
            )
    console = Console(soft_wrap=True)
    console.print(table)
    console.print(f'written: {args.out}')


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
