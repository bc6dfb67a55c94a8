"""Charts of cost, temporal resolution, accuracy and time."""

from typing import Dict, Mapping, Optional, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .figures import COLOURS, new_figure

__all__ = [
    'draw_accuracy',
    'draw_benchmark',
    'draw_class_ranking',
    'draw_cost_curve',
    'draw_engines',
    'draw_histograms',
    'draw_pareto',
    'draw_tradeoff',
]

_COLUMN = 3.4  # inches, the width of a column of a paper
_PAGE = 7.2
_BLUE, _ORANGE, _GREEN = COLOURS[:3]
_MARKERS = 'osD^vP*X'
_RESOLUTION = "temporal resolution $B'/T$"


def _tidy(axes: Axes) -> None:
    axes.spines[['top', 'right']].set_visible(False)
    axes.tick_params(labelsize=7)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(8)


def draw_histograms(
    resolutions: Sequence[float], gflops: Sequence[float]
) -> Figure:
    """Draws how temporal resolution and cost are spread over clips.

    Args:
        resolutions (Sequence[float]): B'/T of each clip.
        gflops (Sequence[float]): Giga multiply-adds of each clip.

    Returns:
        Figure: Two histograms with their mean, 5th and 95th percentile.
    """
    figure = new_figure(_PAGE, 2.2)
    gflops = np.asarray(gflops)
    for axes, values, label, limits, colour in zip(
        figure.subplots(1, 2, sharey=True),
        (np.asarray(resolutions), gflops),
        (_RESOLUTION, 'GFLOPs per clip'),
        ((0, 1), (0.98 * gflops.min(), 1.02 * gflops.max())),
        (_BLUE, _ORANGE),
    ):
        weights = np.full(len(values), 100 / len(values))
        axes.hist(
            values,
            np.linspace(*limits, 17),
            weights=weights,
            color=colour,
            edgecolor='white',
            linewidth=0.5,
        )
        axes.axvline(
            values.mean(),
            color='black',
            linewidth=1.2,
            label=f'mean {values.mean():.3g}',
        )
        low, high = np.percentile(values, [5, 95])
        for edge, name in (
            (low, f'5th and 95th percentile {low:.3g}, {high:.3g}'),
            (high, None),
        ):
            axes.axvline(
                edge, color='black', linewidth=1, linestyle=':', label=name
            )
        axes.set_xlabel(label)
        _tidy(axes)
        axes.legend(
            fontsize=7,
            frameon=False,
            loc='lower center',
            bbox_to_anchor=(0.5, 1),
            ncols=2,
        )
    figure.axes[0].set_ylabel(f'% of {len(resolutions)} clips')
    return figure


def draw_cost_curve(
    resolutions: Sequence[float],
    stages: Mapping[str, Sequence[float]],
    base: Optional[float] = None,
    marks: Mapping[str, float] = {},
) -> Figure:
    """Draws what a clip costs at each temporal resolution.

    Args:
        resolutions (Sequence[float]): B' of a clip, or B'/T.
        stages (Mapping[str, Sequence[float]]): Giga multiply-adds of each
            part of the network at these resolutions; they are stacked.
        base (float, optional): Those of the network without sampling.
            Defaults to None.
        marks (Mapping[str, float]): Other costs to mark, by name.

    Returns:
        Figure: The curve.
    """
    figure = new_figure(_COLUMN, 2.7)
    axes = figure.subplots()
    shades = [
        (*[c / 255 for c in bytes.fromhex(colour[1:])], 0.75)
        for colour in COLOURS
    ]
    hatches = ['', '///', '...', 'xxx']
    bottom = np.zeros(len(resolutions))
    for place, (name, costs) in enumerate(stages.items()):
        top = bottom + np.asarray(costs)
        axes.fill_between(
            resolutions,
            bottom,
            top,
            color=shades[place % len(shades)],
            hatch=hatches[place // len(shades) % len(hatches)],
            linewidth=0,
            label=name,
        )
        bottom = top
    axes.plot(resolutions, bottom, color='black', linewidth=1.2)
    if base is not None:
        axes.axhline(
            base,
            color='black',
            linewidth=1,
            linestyle='--',
            label='without sampling',
        )
    for place, (name, cost) in enumerate(marks.items()):
        axes.axhline(
            cost,
            color='0.4',
            linewidth=1,
            linestyle=(':', '-.')[place % 2],
            label=name,
        )
    axes.set_ylim(bottom=0)
    axes.set_xlim(min(resolutions), max(resolutions))
    if max(resolutions) > 1:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("temporal resolution $B'$")
    else:
        axes.set_xlabel(_RESOLUTION)
    axes.set_ylabel('GFLOPs per clip')
    _tidy(axes)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],
        labels[::-1],
        fontsize=6,
        frameon=False,
        loc='center left',
        bbox_to_anchor=(1, 0.5),
    )
    return figure


def draw_class_ranking(ranked: Sequence[Dict], ends: int = 10) -> Figure:
    """Draws the classes of the lowest and of the highest resolution.

    Args:
        ranked (Sequence[dict]): What
            :func:`mmatfr.cost.statistics.rank_classes` returns.
        ends (int): Number of classes at each end. Defaults to 10.

    Returns:
        Figure: A bar for the mean of each class, a line from its 5th to its
        95th percentile.
    """
    split = len(ranked) > 2 * ends
    rows = [*ranked[:ends], *ranked[-ends:]] if split else list(ranked)
    places = np.arange(len(rows), dtype=float)
    places[ends:] += 0.8 * split
    figure = new_figure(_COLUMN, 0.17 * len(rows) + 0.75)
    axes = figure.subplots()
    means = np.array([row['temporal_resolution'] for row in rows])
    low, high = (
        np.array([row[f'temporal_resolution_p{p}'] for row in rows])
        for p in (5, 95)
    )
    colours = [
        _ORANGE if split and index >= ends else _BLUE
        for index in range(len(rows))
    ]
    axes.barh(places, means, color=colours, height=0.75)
    # A skewed class may have its mean beyond a percentile.
    axes.hlines(places, low, high, color='black', linewidth=0.9)
    axes.set_yticks(
        places, [row['name'].replace('_', ' ') for row in rows], fontsize=7
    )
    axes.set_ylim(places[-1] + 0.6, -0.6)
    axes.set_xlim(0, max(1.0, means.max()))
    axes.set_xlabel(f'{_RESOLUTION} (mean, 5 to 95 %)')
    _tidy(axes)
    if split:
        axes.text(
            0.5,
            ends - 0.1,
            f'{len(ranked) - 2 * ends} classes between',
            transform=axes.get_yaxis_transform(),
            ha='center',
            va='center',
            fontsize=6.5,
            style='italic',
        )
    return figure


def draw_accuracy(rows: Sequence[Dict]) -> Figure:
    """Draws accuracy over temporal resolution.

    Args:
        rows (Sequence[dict]): What
            :func:`mmatfr.cost.statistics.accuracy_by_resolution` returns.

    Returns:
        Figure: The accuracy with its 95 % intervals, over a bar for the
        number of videos.
    """
    figure = new_figure(_COLUMN, 2.6)
    axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    centres = np.array([(row['low'] + row['high']) / 2 for row in rows])
    widths = np.array([row['high'] - row['low'] for row in rows])
    accuracy = 100 * np.array([row['accuracy'] for row in rows])
    lower, upper = (
        100 * np.array([row[end] for row in rows])
        for end in ('lower', 'upper')
    )
    axes.errorbar(
        centres,
        accuracy,
        (accuracy - lower, upper - accuracy),
        widths / 2,
        fmt='o',
        color=_BLUE,
        markersize=4,
        linewidth=1.2,
        capsize=2,
    )
    axes.set_ylim(0, 103)
    axes.set_ylabel('top-1 accuracy, %')
    counts.bar(
        centres,
        [row['videos'] for row in rows],
        widths * 0.94,
        color='0.7',
    )
    counts.set_ylabel('videos')
    counts.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    counts.set_xlim(0, 1)
    counts.set_xlabel(_RESOLUTION)
    for each in (axes, counts):
        _tidy(each)
    return figure


def draw_pareto(points: Sequence[Dict], x_label: str, y_label: str) -> Figure:
    """Draws accuracy against cost.

    Args:
        points (Sequence[dict]): ``name``, ``cost``, ``accuracy`` and
            ``front``, whether no other point is at once as cheap and as
            accurate; ``low`` and ``high``, bounds of the cost, and
            ``accuracy_low`` and ``accuracy_high``, of the accuracy, where
            they are known.
        x_label (str): What the cost is.
        y_label (str): What the accuracy is.

    Returns:
        Figure: The points, and the line that those of the front make.
    """
    figure = new_figure(_COLUMN, 2.6)
    axes = figure.subplots()
    front = sorted((p for p in points if p['front']), key=lambda p: p['cost'])
    axes.step(
        [p['cost'] for p in front],
        [p['accuracy'] for p in front],
        where='post',
        color='0.6',
        linewidth=1,
        zorder=1,
        label='Pareto front',
    )
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
            linewidths=0.6,
            zorder=3,
            label=point['name'],
        )
    axes.margins(0.08, 0.15)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(color='0.92', linewidth=0.6)
    axes.set_axisbelow(True)
    _tidy(axes)
    axes.legend(
        fontsize=7,
        frameon=False,
        loc='lower center',
        bbox_to_anchor=(0.5, 1),
        ncols=2,
    )
    return figure


def draw_tradeoff(
    series: Mapping[str, Sequence[Dict]], x_label: str, y_label: str
) -> Figure:
    """Draws accuracy against cost, over several trainings.

    Args:
        series (Mapping[str, Sequence[dict]]): By name, one point or those of
            a line, each ``cost``, ``accuracy``, its mean, and ``low`` and
            ``high``, its least and greatest.
        x_label (str): What the cost is.
        y_label (str): What the accuracy is.

    Returns:
        Figure: The points with their spread, those of a line joined.
    """
    figure = new_figure(_COLUMN, 3.2)
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
            markersize=3.5 if len(points) > 1 else 5.5,
            markeredgecolor='black',
            markeredgewidth=0.5,
            linewidth=1.2,
            elinewidth=1,
            capsize=2,
            label=name,
        )
    axes.set_xlim(left=0)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(color='0.92', linewidth=0.6)
    axes.set_axisbelow(True)
    _tidy(axes)
    axes.legend(
        fontsize=6.5,
        frameon=False,
        loc='lower center',
        bbox_to_anchor=(0.5, 1),
        ncols=2 if max(map(len, series)) < 30 else 1,
    )
    return figure


def draw_benchmark(rows: Sequence[Dict]) -> Figure:
    """Draws the time and the GFLOPs of each side, relative to the base.

    Args:
        rows (Sequence[dict]): ``work``, ``side``, ``batch_size``,
            ``time_ratio``, ``time_ratio_low``, ``time_ratio_high`` and
            ``gflops_ratio``.

    Returns:
        Figure: One group of bars for each kind of work and batch size; a
        horizontal mark is the GFLOPs.
    """
    cases = list(
        dict.fromkeys((row['work'], row['batch_size']) for row in rows)
    )
    sides = list(dict.fromkeys(row['side'] for row in rows))
    figure = new_figure(max(_COLUMN, 0.8 * len(cases) + 1.2), 2.5)
    axes = figure.subplots()
    width = 0.8 / len(sides)
    for row in rows:
        number = sides.index(row['side'])
        place = (
            cases.index((row['work'], row['batch_size']))
            + (number - (len(sides) - 1) / 2) * width
        )
        axes.bar(
            place,
            row['time_ratio'],
            0.92 * width,
            color=COLOURS[number],
            hatch=('', '///', '...')[number % 3],
            edgecolor='white',
            linewidth=0,
            zorder=2,
        )
        axes.vlines(
            place,
            row['time_ratio_low'],
            row['time_ratio_high'],
            color='black',
            linewidth=1,
            zorder=3,
        )
        axes.hlines(
            row['gflops_ratio'],
            place - 0.46 * width,
            place + 0.46 * width,
            color='black',
            linewidth=2,
            zorder=4,
        )
    for number, side in enumerate(sides):
        axes.bar(
            0,
            0,
            color=COLOURS[number],
            hatch=('', '///', '...')[number % 3],
            edgecolor='white',
            label=f'time, {side}',
        )
    axes.plot([], [], color='black', linewidth=2, label='GFLOPs')
    axes.axhline(1, color='0.4', linewidth=1, linestyle='--', zorder=1)
    axes.set_xticks(
        range(len(cases)),
        [f'{work}\nbatch of {size}' for work, size in cases],
    )
    axes.set_xlim(-0.6, len(cases) - 0.4)
    axes.set_ylim(bottom=0)
    axes.set_ylabel('ratio to the base')
    _tidy(axes)
    axes.legend(
        fontsize=7,
        frameon=False,
        loc='lower center',
        bbox_to_anchor=(0.5, 1),
        ncols=2,
    )
    return figure


def draw_engines(rows: Sequence[Dict]) -> Figure:
    """Draws the time of a clip in several engines.

    Args:
        rows (Sequence[dict]): ``threads``, ``contender``, ``lengths``,
            ``seconds_per_clip``, ``seconds_per_clip_min`` and
            ``seconds_per_clip_max``; those with a ``refusal`` are left out.

    Returns:
        Figure: A bar for each contender, with a line from its least to its
        most; one panel for each number of threads.
    """
    rows = [row for row in rows if 'refusal' not in row]
    threads = list(dict.fromkeys(row['threads'] for row in rows))
    panels = [
        [row for row in rows if row['threads'] == number] for number in threads
    ]
    figure = new_figure(_PAGE, 0.17 * len(panels[0]) + 0.75)
    every = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, number, panel in zip(every, threads, panels):
        places = range(len(panel))
        axes.barh(
            places,
            [1e3 * row['seconds_per_clip'] for row in panel],
            color=[_ORANGE if row['lengths'] else _BLUE for row in panel],
            height=0.75,
        )
        axes.hlines(
            places,
            [1e3 * row['seconds_per_clip_min'] for row in panel],
            [1e3 * row['seconds_per_clip_max'] for row in panel],
            color='black',
            linewidth=0.9,
        )
        axes.set_xlim(left=0)
        axes.set_xlabel(f'ms a clip, {number} thread{"s" * (number > 1)}')
        _tidy(axes)
    every[0].set_yticks(
        range(len(panels[0])),
        [
            row['contender']
            + ''.join(f", B'={row['lengths']}" for _ in row['lengths'][:1])
            for row in panels[0]
        ],
        fontsize=7,
    )
    every[0].invert_yaxis()
    return figure
