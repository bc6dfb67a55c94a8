"""Charts of the temporal resolution and the cost of clips."""

from typing import Dict, Mapping, Optional, Sequence, Union

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .colours import COLOURS
from .figures import COLUMN, PAGE, new_figure, tidy

__all__ = [
    'draw_accuracy',
    'draw_class_ranking',
    'draw_cost_curve',
    'draw_histograms',
    'draw_timeline',
]

_BLUE, _ORANGE = COLOURS[:2]
Numbers = Union[np.ndarray, Sequence[float]]
_RESOLUTION = "temporal resolution $B'/T$"


def draw_histograms(resolutions: Numbers, gflops: Numbers) -> Figure:
    """Draws the distributions of temporal resolution and cost over clips.

    Args:
        resolutions (np.ndarray | Sequence[float]): B'/T of each clip.
        gflops (np.ndarray | Sequence[float]): Giga multiply-adds of each clip.

    Returns:
        Figure: Two histograms with their mean, 5th and 95th percentile.
    """
    figure = new_figure(PAGE, 2.2)
    shares, costs = np.asarray(resolutions), np.asarray(gflops)
    left, right = figure.subplots(1, 2, sharey=True)
    edges = np.linspace(0.98 * costs.min(), 1.02 * costs.max(), 17)
    for axes, values, label, bins, colour in (
        (left, shares, _RESOLUTION, np.linspace(0, 1, 17), _BLUE),
        (right, costs, 'GFLOPs per clip', edges, _ORANGE),
    ):
        weights = np.full(len(values), 100 / len(values))
        axes.hist(
            values,
            bins,
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
        tidy(axes)
        axes.legend(
            fontsize=7,
            frameon=False,
            loc='lower center',
            bbox_to_anchor=(0.5, 1),
            ncols=2,
        )
    figure.axes[0].set_ylabel(f'% of {len(resolutions)} clips')
    return figure


def draw_timeline(
    edges: Sequence[Sequence[float]],
    lengths: Sequence[int],
    num_frames: int,
    unit: str = 'time (s)',
) -> Figure:
    """Draws the temporal resolution of consecutive clips of a video.

    Args:
        edges (Sequence[Sequence[float]]): Start and end of each clip.
        lengths (Sequence[int]): B' of each clip.
        num_frames (int): T of a clip.
        unit (str): Label of the edges. Defaults to 'time (s)'.

    Returns:
        Figure: A bar for each clip, labelled with its B'.
    """
    figure = new_figure(PAGE, 1.7)
    axes = figure.subplots()
    starts, ends = np.transpose(edges)
    bars = axes.bar(
        starts,
        lengths,
        ends - starts,
        align='edge',
        color=(*to_rgb(_BLUE), 0.5),  # the last clips may overlap
        edgecolor=_BLUE,
        linewidth=0.8,
    )
    if len(lengths) <= 40:  # more numbers would overlap
        axes.bar_label(bars, fontsize=7, label_type='center')
    axes.axhline(
        num_frames,
        color='black',
        linewidth=1,
        linestyle='--',
        label=f'all {num_frames} frames',
    )
    axes.axhline(
        float(np.mean(lengths)),
        color=_ORANGE,
        linewidth=1.2,
        label=f'mean {np.mean(lengths):.1f}',
    )
    axes.set_ylim(0, 1.12 * num_frames)
    axes.set_xlim(starts.min(), ends.max())
    axes.set_xlabel(unit)
    axes.set_ylabel("groups $B'$")
    tidy(axes)
    figure.legend(
        fontsize=7, frameon=False, loc='outside upper right', ncols=2
    )
    return figure


def draw_cost_curve(
    resolutions: Sequence[float],
    stages: Mapping[str, Sequence[float]],
    base: Optional[float] = None,
    marks: Mapping[str, float] = {},
) -> Figure:
    """Draws the cost of a clip at each temporal resolution.

    Args:
        resolutions (Sequence[float]): B' of a clip, or B'/T.
        stages (Mapping[str, Sequence[float]]): Giga multiply-adds of each
            part of the network at these resolutions; they are stacked.
        base (float, optional): Cost of the network without sampling. Defaults
            to None.
        marks (Mapping[str, float]): Further costs to mark, by name.

    Returns:
        Figure: The curve.
    """
    figure = new_figure(COLUMN, 2.7)
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
    tidy(axes)
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
    """Draws the classes of lowest and highest temporal resolution.

    Args:
        ranked (Sequence[dict]): Result of
            :func:`mmatfr.cost.statistics.rank_classes`.
        ends (int): Number of classes at each end. Defaults to 10.

    Returns:
        Figure: A bar for the mean of each class, with the value to the right,
        and a line from the 5th to the 95th percentile of its clips.
    """
    split = len(ranked) > 2 * ends
    rows = [*ranked[:ends], *ranked[-ends:]] if split else list(ranked)
    places = np.arange(len(rows), dtype=float)
    places[ends:] += 0.8 * split
    figure = new_figure(COLUMN, 0.17 * len(rows) + 0.75)
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
    axes.barh(places, means, color=colours, height=0.75, alpha=0.6)
    # The mean of a skewed class may lie beyond a percentile.
    axes.hlines(places, low, high, color='black', linewidth=0.9)
    for place, mean in zip(places, means, strict=True):
        axes.annotate(
            f'{mean:.2f}',
            (1, place),
            xytext=(2, 0),
            xycoords=('axes fraction', 'data'),
            textcoords='offset points',
            va='center',
            fontsize=6.5,
        )
    axes.set_yticks(
        places, [row['name'].replace('_', ' ') for row in rows], fontsize=7
    )
    axes.set_ylim(places[-1] + 0.6, -0.6)
    axes.set_xlim(0, max(1.0, means.max()))
    tidy(axes)
    # Label of the whole figure; the axes are too narrow with long names.
    figure.supxlabel(
        f'{_RESOLUTION}: mean, and 5 to 95 % of the clips', fontsize=8
    )
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
        rows (Sequence[dict]): Result of
            :func:`mmatfr.cost.statistics.accuracy_by_resolution`.

    Returns:
        Figure: The accuracy with its 95 % intervals, and labelled bars for the
        number of videos.
    """
    figure = new_figure(COLUMN, 2.6)
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
    axes.set_ylabel('top-1 accuracy (%)')
    bars = counts.bar(
        centres,
        [row['videos'] for row in rows],
        widths * 0.94,
        color='0.7',
    )
    counts.bar_label(bars, fontsize=6.5, padding=1)
    counts.margins(y=0.3)
    for centre, value, end in zip(centres, accuracy, lower, strict=True):
        axes.annotate(
            f'{value:.0f}',
            (centre, end),
            xytext=(0, -3),
            textcoords='offset points',
            ha='center',
            va='top',
            fontsize=6.5,
        )
    counts.set_ylabel('videos')
    counts.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    counts.set_xlim(0, 1)
    counts.set_xlabel(_RESOLUTION)
    for each in (axes, counts):
        tidy(each)
    return figure
