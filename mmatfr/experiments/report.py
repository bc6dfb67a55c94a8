"""Reports the results of a comparison in a table, a figure and files."""

import re
import statistics
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from mmatfr.atomic_write import atomic_open
from mmatfr.cli import describe_run, write_report
from mmatfr.visualization.tradeoffs import draw_tradeoff

from .comparison import Results
from .row import Row

__all__ = [
    'Report',
    'format_seeds',
    'gflops',
    'length_range',
    'lengths',
    'metric',
]

# Metrics of a row for each seed.
Runs = List[Dict[str, float]]
# Makes a cell from the metrics of a row and of the full network.
Column = Callable[[Runs, Optional[Runs]], Optional[str]]


@dataclass(frozen=True)
class Report:
    """How to report the results of a table of rows.

    Attributes:
        rows (dict[str, Row]): All rows, by name.
        columns (dict[str, Callable]): The columns after the title, by their
            headings.
        curves (dict[str, str]): Titles of the curves of the figure, by prefix
            of the names of their rows.
    """

    rows: Mapping[str, Row]
    columns: Mapping[str, Column]
    curves: Mapping[str, str]

    @cached_property
    def curve_of(self) -> Dict[str, str]:
        """dict[str, str]: The name of the curve of each row. Rows that differ
        only in the number of bins or groups form a curve, named by the first;
        rows with weights of one training are not joined with others."""
        owners = {name: self._owner(name) for name in self.rows}
        shared = {
            owner
            for name, owner in owners.items()
            if self.rows[name].weights_of is not None
        }
        names: Dict[str, str] = {}
        firsts: List[Tuple[Row, str]] = []
        for name, row in self.rows.items():
            if owners[name] in shared:
                row = Row(
                    row.title,
                    row.sgs,
                    row.binning,
                    row.merging,
                    row.num_frames,
                    weights_of=owners[name],
                )
            kind = _without_numbers(row)
            curve = next((c for first, c in firsts if first == kind), None)
            if curve is None:
                curve = re.sub(r'(_bins)?\d+$', '', name)
                if curve in names.values():
                    curve = name
                firsts.append((kind, curve))
            names[name] = curve
        return names

    def _owner(self, name: str) -> str:
        """Returns the row, or 'base', that has trained the weights."""
        origin = self.rows[name].weights_of
        if origin is None:
            return name
        return origin if origin == 'base' else self._owner(origin)

    def make_table(self, results: Results) -> Table:
        """Creates a table of the results.

        Args:
            results (dict): For each row the metrics of each seed.

        Returns:
            Table: A table in Markdown.
        """
        table = Table(box=MARKDOWN)
        table.add_column('model', no_wrap=True)
        for heading in self.columns:
            table.add_column(heading, justify='right', no_wrap=True)
        full = results.get('full', results.get('base'))
        for name, runs in results.items():
            cells = (column(runs, full) for column in self.columns.values())
            table.add_row(self.rows[name].title, *cells)
        return table

    def make_series(
        self, results: Results
    ) -> Dict[str, List[Dict[str, float]]]:
        """Converts rows to points and lines of a chart.

        Args:
            results (dict): For each row the metrics of each seed.

        Returns:
            dict: Input of
            :func:`mmatfr.visualization.tradeoffs.draw_tradeoff`.
        """
        series: Dict[str, List[Dict[str, float]]] = {}
        for name, runs in results.items():
            top1 = [100 * run['acc/top1'] for run in runs]
            point = dict(
                cost=_mean(runs, 'cost/gflops_per_clip'),
                accuracy=statistics.mean(top1),
                low=min(top1),
                high=max(top1),
            )
            curves = (
                curve
                for prefix, curve in self.curves.items()
                if name.startswith(prefix)
            )
            title = next(curves, self.rows[name].title)
            series.setdefault(title, []).append(point)
        return series

    def write(
        self, out: Path, name: str, seeds: Sequence[int], results: Results
    ) -> None:
        """Prints the table, and writes it with the figure and all values.

        Args:
            out (Path): Folder, created if needed.
            name (str): Name of the files, without extension.
            seeds (Sequence[int]): Seeds of the trainings.
            results (dict): For each row the metrics of each seed.
        """
        table = self.make_table(results)
        Console(width=250).print(table)
        figure = draw_tradeoff(
            self.make_series(results), 'GFLOPs per clip', 'top-1 accuracy, %'
        )
        write_report(out, name, dict(seeds=seeds, rows=results), figure=figure)
        with atomic_open(out / f'{name}.md', encoding='utf-8') as file:
            machine = describe_run()
            print(
                f'`{machine["command"]}`; {machine["cores"]} CPU cores, '
                f'{machine["threads"]} threads, Python {machine["python"]}, '
                f'torch {machine["torch"]}; seeds '
                f'{", ".join(map(str, seeds))}: mean [least, most].\n',
                file=file,
            )
            Console(file=file, width=250).print(table)


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


def metric(key: str, digits: int, factor: float = 1) -> Column:
    """Makes a column of a metric.

    Args:
        key (str): Name of the metric.
        digits (int): Number of digits after the decimal point.
        factor (float): Factor of the values. Defaults to 1.

    Returns:
        Callable: Formats the metric; None for rows without it.
    """

    def column(runs: Runs, full: Optional[Runs]) -> Optional[str]:
        if not all(key in run for run in runs):
            return None
        return format_seeds([factor * run[key] for run in runs], digits)

    return column


def gflops(runs: Runs, full: Optional[Runs]) -> str:
    """Formats the GFLOPs, with the share of the full network."""
    cost = _mean(runs, 'cost/gflops_per_clip')
    if full is None or runs is full:
        return f'{cost:.4f}'
    share = cost / _mean(full, 'cost/gflops_per_clip')
    return f'{cost:.4f} ({100 * share:.0f} %)'


def lengths(runs: Runs, full: Optional[Runs]) -> str:
    """Formats B', or B'/T of each of several layers."""
    if all('cost/length_mean' in run for run in runs):
        mean = _mean(runs, 'cost/length_mean')
        return f'{mean:.1f} ± {_mean(runs, "cost/length_std"):.1f}'
    return ', '.join(
        f'{_mean(runs, key):.2f} ± {_mean(runs, f"{key}_std"):.2f}'
        for key in runs[0]
        if key.endswith('.sgs/temporal_resolution')
    )


def length_range(runs: Runs, full: Optional[Runs]) -> Optional[str]:
    """Formats the smallest and the largest B' of a single layer."""
    if not all('cost/length_mean' in run for run in runs):
        return None
    least = min(run['cost/length_min'] for run in runs)
    most = max(run['cost/length_max'] for run in runs)
    return f'{least:.0f} to {most:.0f}'


def _without_numbers(row: Row) -> Row:
    """Removes the title and the number of bins or groups."""
    binning = getattr(row.binning, 'func', row.binning)
    return replace(row, title='', sgs=_without_bins(row.sgs), binning=binning)


def _without_bins(options: Any) -> Any:
    if not isinstance(options, dict):
        return options
    return {
        key: _without_bins(value)
        for key, value in options.items()
        if key != 'num_bins'
    }


def _mean(runs: Runs, key: str) -> float:
    return statistics.mean(run[key] for run in runs)
