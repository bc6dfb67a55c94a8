"""Times several recognizers against their bases, in one table.

Each is timed as by `benchmark.py`, on clips of unequal length with half of the
frames kept on average: in evaluation clip by clip and in batches, in training
steps, and with the authors' padding (benchmark.py --padding). R is the
ratio of the times over the ratio of the GFLOPs; R' is the same with each in
the fastest form timed: with channels_last=True or without, and with
--cuda-graph the base as a CUDA graph. On a GPU, cuDNN tries its kernels for
the base, because its shapes are fixed.
"""

import argparse
from pathlib import Path
from typing import Dict, Iterator, List

from rich.console import Console

from mmatfr.arguments import make_parser
from mmatfr.benchmark.arguments import (
    add_cuda_graph,
    add_models,
    add_run,
    add_shape,
)
from mmatfr.benchmark.models import MODELS
from mmatfr.benchmark.options import BenchmarkOptions
from mmatfr.benchmark.recognizers import Benchmark
from mmatfr.benchmark.tables import print_speed_table
from mmatfr.cli import make_progress, run_script, write_report


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_models(parser)
    parser.add_argument(
        '--eval-batches',
        type=int,
        nargs='*',
        default=[1, 8],
        help='default: 1 8',
    )
    parser.add_argument(
        '--train-batch', type=int, default=8, help='0 for none (default: 8)'
    )
    add_shape(parser, "each model's")
    parser.add_argument(
        '--resolution',
        type=float,
        nargs=2,
        default=(0.5, 0.2),
        metavar=('MEAN', 'STD'),
        help="mean and standard deviation of B'/T (default: 0.5 0.2)",
    )
    add_run(parser, 'results/speed_table', precision=True)
    add_cuda_graph(parser)
    return parser.parse_args()


def run_model(
    name: str, args: argparse.Namespace, progress
) -> Iterator[List[Dict]]:
    """Times a recognizer at all requested kinds of work."""
    model = MODELS[name]
    cases = [('forward', size) for size in args.eval_batches]
    if args.train_batch:
        cases.append(('train', args.train_batch))
    benchmark = Benchmark(
        BenchmarkOptions(
            model.config,
            padding=model.padding,
            fast_base=True,
            cuda_graph=args.cuda_graph,
            work=list(dict.fromkeys(work for work, _ in cases)),
            resolution=tuple(args.resolution),
            shape=args.shape or model.shape,
            clips=max(size for _, size in cases),
            rounds=args.rounds,
            precision=args.precision,
            device=args.device,
        )
    )
    for work, size in cases:
        yield [
            dict(model=name, **row)
            for row in benchmark.run(work, size, progress)
        ]


def run(args: argparse.Namespace) -> None:
    rows: List[Dict] = []
    with make_progress() as progress:
        for name in args.models:
            for case in run_model(name, args, progress):
                rows += case
                write_report(
                    Path(args.out),
                    'speed_table',
                    dict(precision=args.precision, rows=rows),
                )
    print_speed_table(rows, Console(width=120))


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
