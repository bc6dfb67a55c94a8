"""Tables of cost and temporal resolution, as scripts print them."""

from typing import Any, Dict, List, Sequence

from rich.console import Console

from mmatfr.cli import make_table, print_table

__all__ = ['print_calibration', 'print_cost', 'print_ranking']


def print_cost(name: str, report: Dict[str, Any]) -> None:
    """Prints what a clip costs, by temporal resolution and by stage.

    Args:
        name (str): Name of the recognizer.
        report (dict): ``clip_shape`` (C, T, H, W), ``views`` of a video, the
            names of the ``layers`` and their ``num_frames``; ``parameters``;
            ``gflops`` and ``parameters`` of the ``base`` without sampling;
            and the ``curve``, for each ``resolution`` B'/T the ``lengths``
            B', ``gflops`` and ``stages``, GFLOPs by stage.
    """
    console = Console()
    layers, views = report['layers'], report['views']
    base, rows = report['base'], report['curve']
    num_frames = report['num_frames']
    size = 'x'.join(map(str, report['clip_shape'][1:]))
    table = make_table(
        f'{name}, clips of {size}',
        ('', 'GFLOPs/clip', f'GFLOPs x {views} views', 'parameters'),
    )
    table.add_row(
        'without sampling',
        f'{base["gflops"]:.4g}',
        f'{base["gflops"] * views:.4g}',
        f'{base["parameters"] / 1e6:.3f} M',
    )
    if layers:
        table.add_row(
            'with sampling, all frames kept',
            f'{rows[-1]["gflops"]:.4g}',
            f'{rows[-1]["gflops"] * views:.4g}',
            f'{report["parameters"] / 1e6:.3f} M',
        )
    print_table(table, console)
    shown = [row for row in rows if len(rows) <= 17 or row is rows[0]]
    if len(rows) > 17:  # as many as fit on a screen
        shown += rows[1 :: -(-len(rows) // 16)][:-1] + [rows[-1]]
    if layers:
        table = make_table(
            f'by temporal resolution, out of {_join(num_frames)} frames'
            + (f' of {", ".join(layers)}' if len(layers) > 1 else ''),
            ("B'", "B'/T", 'GFLOPs/clip', '% of the base'),
        )
        for row in shown:
            table.add_row(
                _join(row['lengths']),
                f'{row["resolution"]:.2f}',
                f'{row["gflops"]:.4g}',
                f'{100 * row["gflops"] / base["gflops"]:.1f}',
            )
        print_table(table, console)
    full, half = rows[-1], rows[(len(rows) - 1) // 2]
    table = make_table(
        'by stage, GFLOPs/clip',
        (
            '',
            f"B' = {_join(full['lengths'])}",
            *([f"B' = {_join(half['lengths'])}"] if layers else []),
        ),
    )
    for name, value in full['stages'].items():
        table.add_row(
            name,
            f'{value:.4g}',
            *([f'{half["stages"].get(name, 0):.4g}'] if layers else []),
        )
    print_table(table, console)


def print_calibration(
    rows: Sequence[Dict[str, Any]], best: Dict[str, Any], budget: float
) -> List[int]:
    """Prints what numbers of bins cost, and which one is picked.

    Args:
        rows (Sequence[dict]): For each number of ``bins`` the mean
            ``length`` B' (None where several layers sample), ``gflops`` and
            ``top1``.
        best (dict): The row that is picked.
        budget (float): GFLOPs of a clip.

    Returns:
        list[int]: Other numbers of bins that keep to the budget and are as
        accurate.
    """
    allowed = [row for row in rows if row['gflops'] <= budget]
    tied = [
        row['bins']
        for row in allowed
        if row['top1'] == best['top1'] and row is not best
    ]
    table = make_table(
        f'validation list, budget {budget:g} GFLOPs per clip',
        ['bins', "mean B'", 'GFLOPs', 'top-1 %', 'budget', ''],
    )
    for row in rows:
        table.add_row(
            str(row['bins']),
            '' if row['length'] is None else f'{row["length"]:.1f}',
            f'{row["gflops"]:.4g}',
            f'{100 * row["top1"]:.1f}',
            f'{100 * row["gflops"] / budget:.0f} %',
            'picked'
            if row is best
            else 'tied, dearer'
            if row['bins'] in tied
            else ''
            if row in allowed
            else 'over budget',
        )
    print_table(table)
    if tied:
        print(
            f'{", ".join(map(str, tied))} bins are as accurate as '
            f'{best["bins"]}, which cost least'
        )
    print(f'set num_bins={best["bins"]} in `sgs` of the config')
    return tied


def print_ranking(
    ranked: Sequence[Dict], summary: Dict[str, float], ends: int
) -> None:
    """Prints the ends of a ranking of classes and the whole data set.

    Args:
        ranked (Sequence[dict]): Classes, see
            :func:`mmatfr.cost.rank_classes`.
        summary (dict): Of all videos, see :func:`mmatfr.cost.summarize`, with
            the number of ``videos``.
        ends (int): Number of classes at each end.
    """
    table = make_table(
        "classes by the mean B'/T of their clips; GFLOPs per clip",
        (
            'class',
            'videos',
            "B'/T",
            '5 to 95 %',
            'GFLOPs',
            'top-1 %',
        ),
    )
    low, high = ranked, ranked[:0]
    if len(ranked) > 2 * ends:
        low, high = ranked[:ends], ranked[-ends:]

    def add(row: Dict, name: str) -> None:
        table.add_row(
            name,
            str(row['videos']),
            f'{row["temporal_resolution"]:.3f}',
            f'{row["temporal_resolution_p5"]:.2f} to '
            f'{row["temporal_resolution_p95"]:.2f}',
            f'{row["gflops_per_clip"]:.4g}',
            f'{100 * row["accuracy"]:.1f}' if 'accuracy' in row else '',
        )

    for row in low:
        add(row, row['name'])
    if high:
        table.add_section()
        for row in high:
            add(row, row['name'])
    table.add_section()
    add(summary, 'all classes')
    print_table(table)


def _join(numbers) -> str:
    return '/'.join(map(str, numbers))
