"""Ranks classes by the temporal resolution that they need.

It tests a recognizer that samples on the test set of its config and ranks the
classes by the mean temporal resolution B'/T of their clips. The figures show
the classes at both ends of the ranking, the distributions of B'/T and cost
over the clips, and the relation of B'/T and accuracy.
"""

import argparse
from pathlib import Path

import numpy as np

from mmatfr.apis import load_config
from mmatfr.arguments import add_cfg_options, make_parser, refuse_below_one
from mmatfr.cli import (
    run_script,
    write_report,
)
from mmatfr.cost import (
    accuracy_by_resolution,
    all_clips,
    rank_classes,
    summarize,
)
from mmatfr.cost.tables import print_ranking
from mmatfr.engine.testing import measure_resolution
from mmatfr.visualization.charts import (
    draw_accuracy,
    draw_class_ranking,
    draw_histograms,
)
from mmatfr.zoo.models import config_path


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        'config',
        help='config of a recognizer that samples, path or name',
    )
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument(
        '--split',
        choices=['test', 'val'],
        default='test',
        help='data loader of the config to use (default: %(default)s)',
    )
    parser.add_argument(
        '--ends',
        type=int,
        default=10,
        help='number of classes to show at each end of the ranking '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--bins',
        type=int,
        default=8,
        help="number of bins of B'/T for the accuracy (default: %(default)s)",
    )
    parser.add_argument(
        '--out',
        default='results/temporal_resolution',
        help='folder of the JSON file and the figures (default: %(default)s)',
    )
    add_cfg_options(parser)
    args = parser.parse_args()
    refuse_below_one(parser, args, 'ends', 'bins')
    return args


def run(args: argparse.Namespace) -> None:
    cfg = load_config(config_path(args.config), args.cfg_options)
    cfg.work_dir = str(Path(args.out) / 'logs')
    metrics, videos, classes = measure_resolution(
        cfg, args.checkpoint, args.split
    )
    ranked = rank_classes(videos, classes)
    summary = dict(summarize(videos), videos=len(videos))
    metrics.update({f'cost/{key}': summary[key] for key in summary})
    figures = dict(histogram=draw_histograms(*all_clips(videos)))
    if ranked:
        figures['ranking'] = draw_class_ranking(ranked, args.ends)
    accuracy = None
    if all('correct' in video for video in videos):
        summary['accuracy'] = sum(v['correct'] for v in videos) / len(videos)
        metrics.setdefault('acc/top1', summary['accuracy'])
        accuracy = accuracy_by_resolution(videos, args.bins)
        figures['accuracy'] = draw_accuracy(accuracy)
    print_ranking(ranked, summary, args.ends)
    write_report(
        Path(args.out),
        Path(args.config).stem,
        dict(
            config=args.config,
            checkpoint=args.checkpoint,
            split=args.split,
            metrics={
                key: float(value)
                for key, value in metrics.items()
                if np.ndim(value) == 0  # not a confusion matrix
            },
            all=summary,
            classes=ranked,
            accuracy_by_resolution=accuracy,
        ),
        **figures,
    )


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
