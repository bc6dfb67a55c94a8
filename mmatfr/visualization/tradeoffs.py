"""Charts of accuracy against cost."""

from typing import Dict, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .colours import COLOURS
from .figures import COLUMN, PAGE, new_figure, tidy

__all__ = ['draw_calibration', 'draw_pareto', 'draw_tradeoff']

_MARKERS = 'osD^vP*X'


def _prepare(axes: Axes, x_label: str, y_label: str) -> None:
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.grid(color='0.92', linewidth=0.6)
    axes.set_axisbelow(True)
    tidy(axes)


def draw_pareto(points: Sequence[Dict], x_label: str, y_label: str) -> Figure:
    """Draws accuracy against cost.

    Args:
        points (Sequence[dict]): ``name``, ``cost``, ``accuracy`` and
            ``front``, whether the point is Pareto-optimal; optionally ``low``
            and ``high``, bounds of the cost, and ``accuracy_low`` and
            ``accuracy_high``, bounds of the accuracy.
        x_label (str): Label of the cost.
        y_label (str): Label of the accuracy.

    Returns:
        Figure: The points and the Pareto front.
    """
    rows = -(-(len(points) + 1) // 2)
    figure = new_figure(COLUMN, 2.4 + 0.15 * rows)
    axes = figure.subplots()
    for place, point in enumerate(points):
        colour = COLOURS[place % len(COLOURS)]
        if point.get('low') is not None:
            axes.hlines(
                point['accuracy'],
                point['low'],
                point['high'],
                color=colour,
                linewidth=1,
                zorder=2,
            )
        if point.get('accuracy_low') is not None:
            axes.vlines(
                point['cost'],
                point['accuracy_low'],
                point['accuracy_high'],
                color=colour,
                linewidth=1,
                zorder=2,
            )
        axes.scatter(
            point['cost'],
            point['accuracy'],
            s=34,
            marker=_MARKERS[place % len(_MARKERS)],
            color=colour,
            edgecolors='black',
            linewidths=1.4 if point['front'] else 0.5,
            zorder=3,
            label=point['name'],
        )
    axes.margins(0.12, 0.15)
    # From the lower to the right edge, so that one point gives a line too.
    front = sorted((p for p in points if p['front']), key=lambda p: p['cost'])
    right, bottom = axes.get_xlim()[1], axes.get_ylim()[0]
    axes.step(
        [front[0]['cost'], *(p['cost'] for p in front), right],
        [bottom, *(p['accuracy'] for p in front), front[-1]['accuracy']],
        where='post',
        color='0.5',
        linewidth=1.2,
        zorder=1,
        label='Pareto front',
    )
    axes.set_xlim(right=right)
    axes.set_ylim(bottom=bottom)
    _prepare(axes, x_label, y_label)
    figure.legend(
        fontsize=7, frameon=False, loc='outside lower center', ncols=2
    )
    return figure


def draw_tradeoff(
    series: Mapping[str, Sequence[Dict]], x_label: str, y_label: str
) -> Figure:
    """Draws accuracy against cost, over several trainings.

    Args:
        series (Mapping[str, Sequence[dict]]): By name, a single point or the
            points of a line, each with ``cost``, the mean ``accuracy``, and
            its minimum ``low`` and maximum ``high``.
        x_label (str): Label of the cost.
        y_label (str): Label of the accuracy.

    Returns:
        Figure: The points with their spread, joined to lines.
    """
    columns = 2 if max(map(len, series)) > 24 else 3
    rows = -(-len(series) // columns)
    figure = new_figure(PAGE, 3 + 0.17 * rows)
    axes = figure.subplots()
    for place, (name, points) in enumerate(series.items()):
        points = sorted(points, key=lambda point: point['cost'])
        cost, accuracy, low, high = (
            np.array([point[key] for point in points])
            for key in ('cost', 'accuracy', 'low', 'high')
        )
        axes.errorbar(
            cost,
            accuracy,
            (accuracy - low, high - accuracy),
            fmt=_MARKERS[place % len(_MARKERS)],
            linestyle='-' if len(points) > 1 else '',
            color=COLOURS[place % len(COLOURS)],
            markersize=4.5 if len(points) > 1 else 6.5,
            markeredgecolor='black',
            markeredgewidth=0.5,
            linewidth=1.2,
            elinewidth=1,
            capsize=2,
            label=name,
        )
    axes.set_xlim(left=0)
    _prepare(axes, x_label, y_label)
    figure.legend(
        fontsize=7.5,
        frameon=False,
        loc='outside lower center',
        ncols=columns,
    )
    return figure


def draw_calibration(
    rows: Sequence[Dict], budget: float, picked: int
) -> Figure:
    """Draws accuracy against cost for each number of bins.

    Args:
        rows (Sequence[dict]): ``bins``, ``gflops`` and ``top1`` in [0, 1].
        budget (float): Largest allowed mean cost of a clip, in GFLOPs.
        picked (int): The number of bins that was chosen.

    Returns:
        Figure: A labelled point for each number of bins, with the budget and
        the choice.
    """
    figure = new_figure(COLUMN, 2.7)
    axes = figure.subplots()
    rows = sorted(rows, key=lambda row: row['gflops'])
    costs = [row['gflops'] for row in rows]
    accuracies = [100 * row['top1'] for row in rows]
    axes.plot(
        costs,
        accuracies,
        '-o',
        color=COLOURS[0],
        markersize=4,
        linewidth=1.2,
        label='a number of bins',
    )
    (choice,) = (row for row in rows if row['bins'] == picked)
    axes.plot(
        choice['gflops'],
        100 * choice['top1'],
        '*',
        color=COLOURS[1],
        markeredgecolor='black',
        markeredgewidth=0.6,
        markersize=11,
        label=f'picked: {picked} bins',
    )
    for place, row in enumerate(rows):
        axes.annotate(
            str(row['bins']),
            (row['gflops'], 100 * row['top1']),
            xytext=(0, 6 if place % 2 == 0 else -6),
            textcoords='offset points',
            ha='center',
            va='bottom' if place % 2 == 0 else 'top',
            fontsize=7,
        )
    axes.margins(0.08, 0.16)
    right = max(axes.get_xlim()[1], 1.02 * budget)
    left = min(axes.get_xlim()[0], 0.98 * budget)
    axes.axvline(
        budget,
        color=COLOURS[5],
        linewidth=1.2,
        linestyle='--',
        label=f'budget: {budget:.4g} GFLOPs',
    )
    axes.axvspan(budget, right, color='0.93', zorder=0, label='over budget')
    axes.set_xlim(left, right)
    _prepare(axes, 'GFLOPs per clip', 'top-1 accuracy, validation (%)')
    figure.legend(
        fontsize=7, frameon=False, loc='outside lower center', ncols=2
    )
    return figure
