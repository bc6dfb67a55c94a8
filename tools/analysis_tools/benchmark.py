"""Times a recognizer with sampling against its base.

All variants are timed in turns, in one run. The base is the config without
sampling, or another config. On a CPU, batches run at once and clip by clip,
and the faster way counts, except for padded forms; on a GPU they run at once.
The report has the median over the rounds, its spread, and the ratio of the
times over the ratio of the GFLOPs, which is 1 if time falls in proportion to
the multiply-adds; lower is better.

  work      timed operation
  forward   the network, on clips that are in memory
  train     forward, backward and a step of the optimizer
  pipeline  the test pipeline: reading, decoding, the network, all views

By default, lengths B' come from the test set of the config and the network;
with an untrained network they mean little, so give a --checkpoint. With given
lengths, clips are noise.

With --engine, one clip runs instead in PyTorch and as an exported file in ONNX
Runtime and OpenVINO, with and without sampling, at given B' (see
docs/performance.md).
"""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Dict, List

from rich.console import Console

from mmatfr.arguments import add_cfg_options, make_parser
from mmatfr.benchmark.arguments import (
    add_engines,
    add_run,
    add_variants,
    check_engines,
    check_options,
    named_engines,
)
from mmatfr.benchmark.contenders import Task
from mmatfr.benchmark.engines import EngineBenchmark
from mmatfr.benchmark.options import (
    BenchmarkOptions,
)
from mmatfr.benchmark.recognizers import Benchmark
from mmatfr.benchmark.tables import (
    explain_columns,
    print_engines,
    print_variants,
)
from mmatfr.cli import make_progress, run_script, show_steps, write_report
from mmatfr.visualization.times import draw_benchmark, draw_engines


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_variants(parser)
    parser.add_argument(
        '--threads',
        type=int,
        nargs='+',
        help='number of CPU threads (default: that of torch); with --engine '
        'one or several (default: 1 2)',
    )
    add_run(
        parser, 'results/benchmark', rounds=None, precision=True, seed=True
    )
    add_cfg_options(parser, 'both configs')
    add_engines(parser.add_argument_group('engines'))
    args = parser.parse_args()
    if args.rounds is None:
        args.rounds = 10 if args.engine else 5
    check_engines(parser, args)
    check_options(parser, args)
    return args


def run_engines(args: argparse.Namespace) -> None:
    """Compares engines on one clip."""
    task = Task(
        args.config,
        args.cfg_options,
        args.checkpoint,
        args.seed,
        args.shape and tuple(args.shape),
    )
    rows: List[Dict] = []
    with make_progress() as progress:
        benchmark = EngineBenchmark(
            task,
            named_engines(args),
            args.kept or [0.5],
            args.work_dir,
            show_steps(progress),
        )
        for threads in args.threads or [1, 2]:
            rows += benchmark.run(threads, args.rounds)
    console, name = Console(width=140), Path(args.config).stem
    explain_columns(console)
    print_engines(name, rows, console)
    write_report(
        Path(args.out),
        f'{name}-engines',
        dict(config=args.config, rounds=args.rounds, rows=rows),
        figure=draw_engines(rows),
    )


def run_variants(args: argparse.Namespace) -> None:
    """Compares the recognizer with its base."""
    args.threads = args.threads and args.threads[0]
    options = BenchmarkOptions(
        **{
            each.name: getattr(args, each.name)
            for each in fields(BenchmarkOptions)
        }
    )
    benchmark = Benchmark(options)
    rows: List[Dict] = []
    with make_progress() as progress:
        for work in args.work:
            for size in args.batch_sizes:
                rows += benchmark.run(work, size, progress)
    print_variants(rows, Console())
    if args.checkpoint is None and not benchmark.is_given:
        print("note: no checkpoint, so B' is that of random weights")
    write_report(
        Path(args.out),
        Path(args.config).stem,
        dict(
            config=args.config,
            baseline=args.baseline,
            device=args.device,
            precision=args.precision,
            rounds=args.rounds,
            rows=rows,
        ),
        figure=draw_benchmark(
            [row for row in rows if row['variant'] != 'base']
        ),
    )


def run(args: argparse.Namespace) -> None:
    (run_engines if args.engine else run_variants)(args)


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
