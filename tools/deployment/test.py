"""Tests an exported recognizer, like tools/test.py does in PyTorch.

The test split of the config runs in an engine, and the evaluator of the config
computes the metrics. They are also written to <work-dir>/<time>/<time>.json.
"""

import argparse
import json
import time
from pathlib import Path
from typing import List, Optional

from rich.console import Console

from mmatfr.apis import load_config
from mmatfr.arguments import add_cfg_options, make_parser
from mmatfr.atomic_write import write_text
from mmatfr.cli import make_progress, make_table, run_script
from mmatfr.deploy import ENGINES, evaluate, load_model
from mmatfr.deploy.evaluation import numbers_of
from mmatfr.zoo.models import config_path


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('model', help='the file, *.onnx')
    parser.add_argument('config', help='its config, path or name')
    parser.add_argument(
        '--engine',
        choices=list(ENGINES),
        default='onnxruntime',
        help='engine (default: %(default)s)',
    )
    parser.add_argument(
        '--precision', help='arithmetic precision, e.g. bf16 (default: f32)'
    )
    parser.add_argument(
        '--num-bins',
        type=int,
        nargs='+',
        metavar='B',
        help='number of bins, one for all sampling pathways or one for each '
        '(default: that of the config)',
    )
    parser.add_argument(
        '--num-threads', type=int, help='number of threads (default: all)'
    )
    parser.add_argument(
        '--work-dir',
        type=Path,
        help='folder of the log (default: work_dirs/CONFIG)',
    )
    add_cfg_options(parser)
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    cfg = load_config(config_path(args.config), args.cfg_options)
    num_bins = args.num_bins
    if num_bins is not None and len(num_bins) == 1:
        (num_bins,) = num_bins
    model = load_model(
        args.model,
        engine=args.engine,
        precision=args.precision,
        num_threads=args.num_threads,
        num_bins=num_bins,
    )
    with make_progress() as progress:
        task = progress.add_task(args.engine, total=None)
        metrics = evaluate(
            model,
            cfg,
            lambda done, total: progress.update(
                task, completed=done, total=total
            ),
        )
    work_dir = args.work_dir or Path('work_dirs', Path(cfg.filename).stem)
    log = _write_log(work_dir, metrics)
    table = make_table(
        f'{args.model} in {args.engine}, {args.precision or "f32"}',
        ('metric', 'value'),
    )
    for name, value in numbers_of(metrics).items():
        table.add_row(name, f'{value:.4f}')
    console = Console(soft_wrap=True)
    console.print(table)
    console.print(f'written: {log}')


def _write_log(work_dir: Path, metrics: dict) -> Path:
    """Writes metrics to the same place as mmengine."""
    name = time.strftime('%Y%m%d_%H%M%S')
    path = work_dir / name / f'{name}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(metrics) + '\n')
    return path


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
