"""Counts the multiply-adds and parameters of a config.

The tables have the network without sampling, and the network with sampling at
every temporal resolution, by stage. Neither data nor a checkpoint is needed.
If several layers sample, all keep the same share B'/T of their frames.
"""

import argparse
from pathlib import Path

from mmatfr.apis import (
    build_recognizer,
    clip_shape,
    load_config,
    num_views,
    without_sampling,
)
from mmatfr.arguments import add_cfg_options, make_parser
from mmatfr.cli import (
    make_progress,
    run_script,
    write_report,
)
from mmatfr.cost import CostModel, lengths_at, merge_stages
from mmatfr.cost.tables import print_cost
from mmatfr.visualization.charts import draw_cost_curve
from mmatfr.zoo.models import config_path


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('config', help='config of a recognizer, path or name')
    parser.add_argument(
        '--shape',
        type=int,
        nargs=3,
        metavar=('T', 'H', 'W'),
        help='size of a clip (default: that of the test pipeline)',
    )
    parser.add_argument(
        '--out',
        default='results/get_flops',
        help='folder of the JSON file and the figure (default: %(default)s)',
    )
    add_cfg_options(parser)
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    cfg = load_config(config_path(args.config), args.cfg_options)
    shape = clip_shape(cfg, args.shape)
    recognizer = build_recognizer(cfg.model)
    cost = CostModel(recognizer)
    base = build_recognizer(without_sampling(cfg.model))
    static = CostModel(base).gflops(shape)
    num_frames = cost.num_frames(shape)
    curve = lengths_at(num_frames) if cost.layers else [(1.0, num_frames)]
    rows = []
    with make_progress() as progress:
        for share, lengths in progress.track(curve, description='count'):
            rows.append(
                dict(
                    resolution=share,
                    lengths=lengths,
                    gflops=cost.gflops(shape, lengths),
                    stages=merge_stages(cost.stages(shape, lengths)),
                )
            )
    params, base_params = (
        sum(p.numel() for p in model.parameters())
        for model in (recognizer, base)
    )
    report = dict(
        config=args.config,
        clip_shape=shape,
        views=num_views(cfg),
        layers=cost.layers,
        num_frames=num_frames,
        base=dict(gflops=static, parameters=base_params),
        parameters=params,
        curve=rows,
    )
    name = Path(args.config).stem
    print_cost(name, report)
    single = len(num_frames) == 1
    figures = {}
    if cost.layers and len(rows) > 1:
        figures['figure'] = draw_cost_curve(
            [
                row['lengths'][0] if single else row['resolution']
                for row in rows
            ],
            {
                name: [row['stages'].get(name, 0.0) for row in rows]
                for name, value in rows[-1]['stages'].items()
                if value > 0.002 * rows[-1]['gflops']
            },
            static,
        )
    write_report(Path(args.out), name, report, **figures)


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
