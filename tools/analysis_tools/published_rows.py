"""Compares published models with the cost of their configs, in one table.

The table has the models of the zoo that papers report: the published GFLOPs
and parameters, those counted from the config with all frames kept, and those
of the network without sampling. It also has the temporal resolution at which
the counted GFLOPs equal those published with sampling. Neither data nor a
checkpoint is needed. The exit code is 1 if an unexplained figure deviates by
more than 1.5 % (GFLOPs) or 1 % (parameters).
"""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Optional

from rich.console import Console

from mmatfr.arguments import make_parser
from mmatfr.cli import make_progress, make_table, run_script, write_report
from mmatfr.zoo.metafile import read_entries
from mmatfr.zoo.models import zoo_root
from mmatfr.zoo.published import compare_published


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        '--out',
        default='results/published_rows',
        help='folder of the JSON file (default: %(default)s)',
    )
    return parser.parse_args()


def _percent(deviation: Optional[float]) -> str:
    return '' if deviation is None else f'{100 * deviation:+.2f}'


def run(args: argparse.Namespace) -> None:
    root = zoo_root()
    entries = [e for e in read_entries(root).values() if 'Published' in e]
    with make_progress() as progress:
        rows = [
            compare_published(entry, root)
            for entry in progress.track(entries, description='count')
        ]
    table = make_table(
        'published and counted',
        (
            'config',
            'clip',
            'GFLOPs, published',
            'at T bins',
            '%',
            'without sampling',
            'parameters M, published',
            'counted',
            '%',
            '+ ATFR, published',
            "at B'",
            "B'/T",
        ),
    )
    for row in rows:
        lengths = '/'.join(
            f'{row.resolution * n:.1f}' if row.resolution else str(n)
            for n in row.num_frames
        )
        table.add_row(
            row.name,
            'x'.join(map(str, row.clip_shape[1:])),
            f'{row.published_gflops:g}' + ('*' if row.explanation else ''),
            f'{row.gflops:.4g}',
            _percent(row.gflops_deviation),
            f'{row.base_gflops:.4g}',
            f'{row.published_parameters:g}'
            if row.published_parameters
            else '',
            f'{row.parameters:.3f}',
            _percent(row.parameters_deviation),
            f'{row.adaptive_gflops:g}' if row.adaptive_gflops else '',
            lengths if row.adaptive_gflops else '',
            f'{row.resolution:.2f}' if row.resolution else '',
        )
    Console(width=max(250, Console().width)).print(table)
    for text in sorted({row.explanation for row in rows} - {None}):
        print(f'* {text}')
    write_report(
        Path(args.out),
        'published_rows',
        dict(rows=[dataclasses.asdict(row) for row in rows]),
    )
    wrong = [row.name for row in rows if not row.agrees]
    if wrong:
        sys.exit(f'error: not as published: {", ".join(wrong)}')


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
