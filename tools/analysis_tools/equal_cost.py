"""Prints accuracies at equal cost from a report of a comparison.

The report is that of compare_recipes.py or grid_table.py. Rows that differ
only in the number of bins or groups form a curve, named by the first. Its
accuracy at a cost is interpolated between the two nearest points, separately
for each seed; a curve has no values beyond its ends.
"""

import argparse
import json
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from mmatfr.arguments import make_parser
from mmatfr.cli import run_script
from mmatfr.experiments.grid import TASKS
from mmatfr.experiments.report import Report
from mmatfr.experiments.tempo_rows import REPORT

Point = Tuple[float, float]


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('report', help='JSON file of the comparison')
    parser.add_argument(
        '--shares',
        type=float,
        nargs='+',
        default=[0.5, 0.55, 0.6, 0.65],
        help='costs, as shares of the GFLOPs of the network without sampling '
        '(default: 0.5 0.55 0.6 0.65)',
    )
    return parser.parse_args()


def read_report(path: str) -> Dict[str, List[Dict[str, float]]]:
    """Reads the metrics of each seed of each row.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not such a report, or has no network without
            sampling.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path!r} does not exist; check the path')
    try:
        rows = json.loads(Path(path).read_text(encoding='utf-8'))['rows']
        named = 'full' in rows or 'base' in rows
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f'{path!r} is not a report of compare_recipes.py; give the JSON '
            'file in its --out'
        ) from None
    if not named:
        raise ValueError(
            f'{path!r} has no row full or base, the unit of cost; run '
            'compare_recipes.py with --rows full ...'
        )
    return rows


def find_table(rows: Iterable[str]) -> Report:
    """Finds the table that has all rows.

    Raises:
        ValueError: If there is none.
    """
    tables = [REPORT, *(task.report for task in TASKS.values())]
    for table in tables:
        if table.rows.keys() >= set(rows):
            return table
    raise ValueError(
        f'the rows {", ".join(rows)} are not of one table; give a report of '
        'compare_recipes.py or grid_table.py, written by this version'
    )


def find_curves(
    rows: Dict[str, List[Dict[str, float]]],
) -> Dict[str, List[List[Point]]]:
    """Groups rows that differ only in the number of bins or groups.

    Args:
        rows (dict): For each row the metrics of each seed.

    Returns:
        dict: For each curve and seed, its points sorted by cost: the cost as a
        share of the network without sampling, and the accuracy in percent.

    Raises:
        ValueError: If the rows are not of one table.
    """
    curves = find_table(rows).curve_of
    unit = rows['full' if 'full' in rows else 'base']
    points: Dict[str, List[List[Point]]] = defaultdict(
        lambda: [[] for _ in unit]
    )
    for name, runs in rows.items():
        for place, (run, full) in enumerate(zip(runs, unit, strict=False)):
            cost = run['cost/gflops_per_clip'] / full['cost/gflops_per_clip']
            points[curves[name]][place].append((cost, 100 * run['acc/top1']))
    return {
        name: [sorted(seed) for seed in seeds]
        for name, seeds in points.items()
        if len(seeds[0]) > 1
    }


def accuracy_at(curve: Sequence[Point], cost: float) -> Optional[float]:
    """Interpolates a curve.

    Args:
        curve (Sequence[tuple[float]]): Costs, ascending, and accuracies.
        cost (float): The cost.

    Returns:
        float | None: The accuracy; None beyond the ends.
    """
    costs, accuracies = zip(*curve, strict=True)
    if not costs[0] <= cost <= costs[-1]:
        return None
    return float(np.interp(cost, costs, accuracies))


def run() -> None:
    args = parse_args()
    rows = read_report(args.report)
    table = Table(box=MARKDOWN)
    table.add_column('top-1 % at a cost of', no_wrap=True)
    for share in args.shares:
        table.add_column(f'{100 * share:g} %', justify='right', no_wrap=True)
    for name, seeds in find_curves(rows).items():
        cells = []
        for share in args.shares:
            found = [accuracy_at(curve, share) for curve in seeds]
            if None in found:
                cells.append('')
                continue
            cells.append(f'{statistics.mean(found):.1f}')
            if len(found) > 1:
                cells[-1] += f' [{min(found):.1f}, {max(found):.1f}]'
        table.add_row(name, *cells)
    Console(width=200).print(table)


if __name__ == '__main__':
    run_script(run)
