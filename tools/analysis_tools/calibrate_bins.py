"""Chooses the number of bins of a trained recognizer for a budget.

No weight depends on the number of bins, so one checkpoint serves several
budgets. Each number is tested on the validation list. The most accurate one
within the budget is chosen, and the cheapest of equally accurate ones. The
test list is not used.
"""

import argparse
from pathlib import Path
from typing import Dict, Optional

from mmengine.config import Config
from mmengine.runner import Runner

from mmatfr.apis import load_config
from mmatfr.apis.config import type_name
from mmatfr.arguments import add_cfg_options, make_parser, refuse_below_one
from mmatfr.cli import (
    make_progress,
    run_script,
    write_report,
)
from mmatfr.cost.calibration import pick_bins, try_bins
from mmatfr.cost.tables import print_calibration
from mmatfr.engine.testing import load_runner
from mmatfr.visualization.tradeoffs import draw_calibration
from mmatfr.zoo.models import config_path


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        'config',
        help='config of a recognizer that samples, path or name',
    )
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument(
        '--gflops',
        type=float,
        required=True,
        help='largest allowed mean cost of a clip',
    )
    parser.add_argument(
        '--bins',
        type=int,
        nargs='+',
        default=[4, 6, 8, 10, 12, 14, 16, 20, 24, 32],
        help='numbers of bins to try (default: %(default)s)',
    )
    parser.add_argument(
        '--out',
        default='results/calibrate_bins',
        help='folder of the JSON file and the figure (default: %(default)s)',
    )
    add_cfg_options(parser)
    args = parser.parse_args()
    refuse_below_one(parser, args, 'bins')
    return args


def prepare(args: argparse.Namespace) -> Config:
    """Reads the config and checks that it can be calibrated.

    Raises:
        FileNotFoundError: If the config or the checkpoint does not exist.
        ValueError: If the config does not report the cost in validation.
    """
    cfg = load_config(config_path(args.config), args.cfg_options)
    if not Path(args.checkpoint).is_file():
        raise FileNotFoundError(
            f'{args.checkpoint!r} does not exist; check the path'
        )
    evaluator = cfg.get('val_evaluator') or ()
    metrics = evaluator if isinstance(evaluator, list) else [evaluator]
    found = {type_name(metric) for metric in metrics}
    for metric in ('AccMetric', 'AdaptiveCostMetric'):
        if metric not in found:
            raise ValueError(
                f'{args.config!r} has no {metric} in `val_evaluator`; add '
                f"dict(type='{metric}')"
            )
    cfg.work_dir = str(Path(args.out) / 'log')
    return cfg


def validate(runner: Runner) -> Dict[str, Optional[float]]:
    """Runs the validation once.

    Args:
        runner (Runner): Runner of a recognizer that samples.

    Returns:
        dict: ``length`` (mean B'; None if several layers sample), ``gflops``
        and ``top1``.
    """
    metrics = runner.val()
    return dict(
        length=metrics.get('cost/length_mean'),
        gflops=metrics['cost/gflops_per_clip'],
        top1=metrics['acc/top1'],
    )


def run() -> None:
    args = parse_args()
    runner = load_runner(prepare(args), args.checkpoint)
    with make_progress() as progress:
        bins = progress.track(sorted(args.bins), description='validate')
        rows = try_bins(runner.model, bins, lambda: validate(runner))
    best = pick_bins(rows, args.gflops)
    if best is None:
        least = min(row['gflops'] for row in rows)
        raise ValueError(
            f'--gflops {args.gflops} is below the cost of all --bins '
            f'{args.bins}; the lowest is {least:.4g}'
        )
    tied = print_calibration(rows, best, args.gflops)
    write_report(
        Path(args.out),
        'calibrate_bins',
        dict(gflops=args.gflops, picked=best['bins'], tied=tied, rows=rows),
        figure=draw_calibration(rows, args.gflops, best['bins']),
    )


if __name__ == '__main__':
    run_script(run)
