"""Reports the results of a comparison in a table, a figure and files."""

import statistics
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from mmatfr.atomic_write import atomic_open
from mmatfr.cli import describe_run, write_report
from mmatfr.visualization.tradeoffs import draw_tradeoff

from .comparison import Results
from .tables import CURVES, ROWS

__all__ = ['format_seeds', 'make_series', 'make_table', 'write_comparison']


def format_seeds(values: Sequence[float], digits: int) -> str:
    """Formats the mean and, for several values, the range.

    Args:
        values (sequence[float]): A value for each seed.
        digits (int): Number of digits after the decimal point.

    Returns:
        str: For example ``'95.5 [95.3, 95.7]'``.
    """
    text = f'{statistics.mean(values):.{digits}f}'
    if len(values) > 1:
        text += f' [{min(values):.{digits}f}, {max(values):.{digits}f}]'
    return text


def make_table(results: Results) -> Table:
    """Creates a table of the results of all rows.

    Args:
        results (dict): For each row the metrics of each seed.

    Returns:
        Table: A table in Markdown.
    """
    table = Table(box=MARKDOWN)
    for title in (
        'model',
        'top-1 %',
        'short %',
        'long %',
        "B' (of several layers B'/T), mean ± std",
        "B' range",
        'Spearman',
        'GFLOPs',
        'ms/clip',
    ):
        table.add_column(
            title,
            justify='left' if title == 'model' else 'right',
            no_wrap=True,
        )
    full = results.get('full')
    for name, runs in results.items():

        def column(
            key: str, digits: int, factor: float = 1, runs=runs
        ) -> Optional[str]:
            if not all(key in run for run in runs):
                return None
            return format_seeds([factor * run[key] for run in runs], digits)

        lengths = bounds = None
        if all('cost/length_mean' in run for run in runs):
            mean, std = (
                statistics.mean(run[f'cost/length_{what}'] for run in runs)
                for what in ('mean', 'std')
            )
            lengths = f'{mean:.1f} ± {std:.1f}'
            least = min(run['cost/length_min'] for run in runs)
            most = max(run['cost/length_max'] for run in runs)
            bounds = f'{least:.0f} to {most:.0f}'
        else:  # several layers: the share of kept frames of each
            lengths = ', '.join(
                ' ± '.join(
                    f'{statistics.mean(run[key + end] for run in runs):.2f}'
                    for end in ('', '_std')
                )
                for key in runs[0]
                if key.endswith('.sgs/temporal_resolution')
            )
        gflops = statistics.mean(run['cost/gflops_per_clip'] for run in runs)
        share = ''
        if full and name != 'full':
            of = statistics.mean(run['cost/gflops_per_clip'] for run in full)
            share = f' ({100 * gflops / of:.0f} %)'
        table.add_row(
            ROWS[name].title,
            column('acc/top1', 1, 100),
            column('tempo/top1_short', 1, 100),
            column('tempo/top1_long', 1, 100),
            lengths,
            bounds,
            column('tempo/spearman', 2),
            f'{gflops:.4f}{share}',
            column('seconds', 2, 1e3),
        )
    return table


def make_series(
    results: Results,
) -> Dict[str, List[Dict[str, float]]]:
    """Converts rows to points and lines of a chart.

    Args:
        results (dict): For each row the metrics of each seed.

    Returns:
        dict: Input of :func:`mmatfr.visualization.tradeoffs.draw_tradeoff`.
    """
    series: Dict[str, List[Dict[str, float]]] = {}
    for name, runs in results.items():
        top1 = [100 * run['acc/top1'] for run in runs]
        point = dict(
            cost=statistics.mean(run['cost/gflops_per_clip'] for run in runs),
            accuracy=statistics.mean(top1),
            low=min(top1),
            high=max(top1),
        )
        curves = [c for key, c in CURVES.items() if name.startswith(key)]
        series.setdefault((curves or [ROWS[name].title])[0], []).append(point)
    return series


def write_comparison(
    out: Path, name: str, seeds: Sequence[int], results: Results
) -> None:
    """Prints the table, and writes it with the figure and all values.

    Args:
        out (Path): Folder, created if needed.
        name (str): Name of the files, without extension.
        seeds (Sequence[int]): Seeds of the trainings.
        results (dict): For each row the metrics of each seed.
    """
    table = make_table(results)
    Console(width=250).print(table)
    figure = draw_tradeoff(
        make_series(results), 'GFLOPs per clip', 'top-1 accuracy, %'
    )
    write_report(out, name, dict(seeds=seeds, rows=results), figure=figure)
    with atomic_open(out / f'{name}.md', encoding='utf-8') as file:
        machine = describe_run()
        print(
            f'`{machine["command"]}`; {machine["cores"]} CPU cores, '
            f'{machine["threads"]} threads, Python {machine["python"]}, '
            f'torch {machine["torch"]}; seeds {", ".join(map(str, seeds))}: '
            'mean [least, most].\n',
            file=file,
        )
        Console(file=file, width=250).print(table)
