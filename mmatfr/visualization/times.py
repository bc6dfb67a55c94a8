"""Charts of time."""

import statistics
from typing import Dict, List, Sequence

from matplotlib.figure import Figure

from .colours import COLOURS
from .figures import COLUMN, PAGE, new_figure, tidy

__all__ = ['draw_benchmark', 'draw_engines', 'draw_growth']

_BLUE, _ORANGE = COLOURS[:2]


def draw_benchmark(rows: Sequence[Dict]) -> Figure:
    """Draws time and GFLOPs of each variant, relative to the base.

    Args:
        rows (Sequence[dict]): ``work``, ``variant``, ``batch_size``,
            ``time_ratio``, ``time_ratio_low``, ``time_ratio_high`` and
            ``gflops_ratio``.

    Returns:
        Figure: A group of bars for each kind of work and batch size. The
        numbers are ratios of times; horizontal marks show the GFLOPs.
    """
    cases = list(
        dict.fromkeys((row['work'], row['batch_size']) for row in rows)
    )
    variants = list(dict.fromkeys(row['variant'] for row in rows))
    figure = new_figure(max(COLUMN, 0.8 * len(cases) + 1.2), 2.5)
    axes = figure.subplots()
    width = 0.8 / len(variants)
    for row in rows:
        number = variants.index(row['variant'])
        place = (
            cases.index((row['work'], row['batch_size']))
            + (number - (len(variants) - 1) / 2) * width
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
        axes.annotate(
            f'{row["time_ratio"]:.2f}',
            (place, max(row['time_ratio_high'], row['gflops_ratio'])),
            xytext=(0, 2),
            textcoords='offset points',
            ha='center',
            fontsize=6.5,
        )
        axes.hlines(
            row['gflops_ratio'],
            place - 0.46 * width,
            place + 0.46 * width,
            color='black',
            linewidth=2,
            zorder=4,
        )
    for number, variant in enumerate(variants):
        axes.bar(
            0,
            0,
            color=COLOURS[number],
            hatch=('', '///', '...')[number % 3],
            edgecolor='white',
            label=f'time, {variant}',
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
    tidy(axes)
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
            ``seconds_per_clip_max``; rows with a ``refusal`` are left out.

    Returns:
        Figure: One panel for each number of threads, with a labelled bar and a
        line from minimum to maximum for each contender.
    """
    rows = [row for row in rows if 'refusal' not in row]
    threads = list(dict.fromkeys(row['threads'] for row in rows))
    panels = [
        [row for row in rows if row['threads'] == number] for number in threads
    ]
    figure = new_figure(PAGE, 0.17 * len(panels[0]) + 0.75)
    every = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, number, panel in zip(every, threads, panels, strict=True):
        places = range(len(panel))
        axes.barh(
            places,
            [1e3 * row['seconds_per_clip'] for row in panel],
            color=[_ORANGE if row['lengths'] else _BLUE for row in panel],
            height=0.75,
            alpha=0.7,
        )
        axes.hlines(
            places,
            [1e3 * row['seconds_per_clip_min'] for row in panel],
            [1e3 * row['seconds_per_clip_max'] for row in panel],
            color='black',
            linewidth=0.9,
        )
        longest = max(1e3 * row['seconds_per_clip_max'] for row in panel)
        axes.set_xlim(0, 1.2 * longest)
        for place, row in zip(places, panel, strict=True):
            axes.annotate(
                f'{1e3 * row["seconds_per_clip"]:.3g}',
                (1e3 * row['seconds_per_clip_max'], place),
                xytext=(3, 0),
                textcoords='offset points',
                va='center',
                fontsize=6.5,
            )
        axes.set_xlabel(f'ms a clip, {number} thread{"s" * (number > 1)}')
        tidy(axes)
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


def draw_growth(rows: List[Dict]) -> Figure:
    """Draws the time against the number of frames, by batch size.

    Args:
        rows (Sequence[dict]): Result of
            :func:`mmatfr.benchmark.growth.measure_growth`.
    """
    figure = new_figure(3.3, 2.6)
    axes = figure.subplots()
    for number, size in enumerate(dict.fromkeys(r['clips'] for r in rows)):
        mine = [row for row in rows if row['clips'] == size]
        axes.errorbar(
            [row['frames'] for row in mine],
            [row['seconds'] for row in mine],
            yerr=[
                [row['seconds'] - row['seconds_min'] for row in mine],
                [row['seconds_max'] - row['seconds'] for row in mine],
            ],
            color=COLOURS[number],
            marker='os^Dv'[number % 5],
            markersize=4,
            label=f'{size} clip' + 's' * (size > 1),
        )
    ends = [min(r['frames'] for r in rows), max(r['frames'] for r in rows)]
    per_frame = statistics.median(r['seconds'] / r['frames'] for r in rows)
    axes.plot(
        ends,
        [per_frame * end for end in ends],
        color='0.6',
        linestyle='--',
        zorder=0,
        label='proportional',
    )
    axes.set(
        xscale='log',
        yscale='log',
        xlabel='frames of the batch',
        ylabel='time (s)',
    )
    axes.legend(frameon=False)
    return figure
