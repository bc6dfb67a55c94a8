"""Counts the multiply-adds and parameters of a config.

The tables have the network without sampling, and the network with sampling at
every temporal resolution, by stage. Neither data nor a checkpoint is needed.
If several layers sample, all keep the same share B'/T of their frames.
"""

import argparse
from pathlib import Path
from typing import Dict

from mmengine.config import DictAction
from rich.console import Console

from mmatfr.apis import (
    build_recognizer,
    clip_shape,
    load_config,
    merge_options,
    num_views,
    without_sampling,
)
from mmatfr.cli import (
    make_progress,
    make_table,
    print_table,
    run_script,
    write_report,
)
from mmatfr.cost import CostModel, lengths_at
from mmatfr.visualization.charts import draw_cost_curve
from mmatfr.zoo.models import config_path


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
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
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings that override the config, name=value',
    )
    return parser.parse_args()


def merge_stages(stages: Dict[str, float]) -> Dict[str, float]:
    """Sums the modules before the stages of each pathway as its stem."""
    merged: Dict[str, float] = {}
    for name, cost in stages.items():
        path, _, part = name.rpartition('.')
        early = path.startswith('backbone') and part.startswith(
            ('conv1', 'maxpool')
        )
        key = f'{path}.stem' if early and 'lateral' not in part else name
        merged[key] = merged.get(key, 0.0) + cost
    return {
        name.removeprefix('backbone.'): cost for name, cost in merged.items()
    }


def run(args: argparse.Namespace) -> None:
    cfg = load_config(config_path(args.config))
    merge_options(cfg, args.cfg_options)
    shape = clip_shape(cfg, args.shape)
    views = num_views(cfg)
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

    console = Console()
    size = 'x'.join(map(str, shape[1:]))
    params, base_params = (
        sum(p.numel() for p in model.parameters())
        for model in (recognizer, base)
    )
    table = make_table(
        f'{Path(args.config).stem}, clips of {size}',
        ('', 'GFLOPs/clip', f'GFLOPs x {views} views', 'parameters'),
    )
    table.add_row(
        'without sampling',
        f'{static:.4g}',
        f'{static * views:.4g}',
        f'{base_params / 1e6:.3f} M',
    )
    if cost.layers:
        table.add_row(
            'with sampling, all frames kept',
            f'{rows[-1]["gflops"]:.4g}',
            f'{rows[-1]["gflops"] * views:.4g}',
            f'{params / 1e6:.3f} M',
        )
    print_table(table, console)
    shown = [row for row in rows if len(rows) <= 17 or row is rows[0]]
    if len(rows) > 17:  # as many as fit on a screen
        shown += rows[1 :: -(-len(rows) // 16)][:-1] + [rows[-1]]
    if cost.layers:
        table = make_table(
            f'by temporal resolution, out of {_join(num_frames)} frames'
            + (
                f' of {", ".join(cost.layers)}' if len(cost.layers) > 1 else ''
            ),
            ("B'", "B'/T", 'GFLOPs/clip', '% of the base'),
        )
        for row in shown:
            table.add_row(
                _join(row['lengths']),
                f'{row["resolution"]:.2f}',
                f'{row["gflops"]:.4g}',
                f'{100 * row["gflops"] / static:.1f}',
            )
        print_table(table, console)
    full, half = rows[-1], rows[(len(rows) - 1) // 2]
    table = make_table(
        'by stage, GFLOPs/clip',
        (
            '',
            f"B' = {_join(full['lengths'])}",
            *([f"B' = {_join(half['lengths'])}"] if cost.layers else []),
        ),
    )
    for name, value in full['stages'].items():
        table.add_row(
            name,
            f'{value:.4g}',
            *([f'{half["stages"].get(name, 0):.4g}'] if cost.layers else []),
        )
    print_table(table, console)

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
                for name, value in full['stages'].items()
                if value > 0.002 * full['gflops']
            },
            static,
        )
    write_report(
        Path(args.out),
        Path(args.config).stem,
        dict(
            config=args.config,
            clip_shape=shape,
            views=views,
            layers=cost.layers,
            num_frames=num_frames,
            base=dict(gflops=static, parameters=base_params),
            parameters=params,
            curve=rows,
        ),
        **figures,
    )


def _join(numbers) -> str:
    return '/'.join(map(str, numbers))


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
