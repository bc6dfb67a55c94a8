"""Prints the tables of times."""

from typing import Any, Dict, List, Sequence

from rich.console import Console

from mmatfr.cli import make_table, print_table

from .lower_bounds import Machine
from .options import PADDINGS

__all__ = [
    'explain_columns',
    'format_ms',
    'print_engine_summary',
    'print_engines',
    'print_lower_bounds',
    'print_growth',
    'print_variants',
    'print_speed_table',
]

COLUMNS = """\
All take the frames of one clip in memory, uint8, and return its scores;
normalization is included. "base" is mmaction2's network without sampling, run
eagerly; the others are named by how they run. Each runs in a separate process,
and only one computes at a time.

  B'         groups of the clip, for each sampling pathway
  ms         median wall-clock time [min, max]
  CPU ms     median processor time, all threads
  of base    time relative to the first line, within rounds
  GFLOPs     relative to those of the base
  against    the base of the last two columns
  time       relative to this base, within rounds [min, max]
  R          relative time over relative GFLOPs: 1 if time falls like GFLOPs
"""


def format_ms(row: Dict[str, Any], key: str = 'seconds_per_clip') -> str:
    """Formats median and range of seconds as milliseconds.

    Args:
        row (dict): Row with the median under the key, and the range under
            ``<key>_min`` and ``<key>_max``.
        key (str): The key. Defaults to 'seconds_per_clip'.
    """
    return (
        f'{1e3 * row[key]:.4g} [{1e3 * row[f"{key}_min"]:.4g}, '
        f'{1e3 * row[f"{key}_max"]:.4g}]'
    )


def print_variants(rows: Sequence[Dict], console: Console) -> None:
    """Prints the rows of a :class:`Benchmark`."""
    table = make_table(
        'time and GFLOPs',
        (
            'work, batch',
            'variant',
            'at once',
            'ms/clip [min, max]',
            'clips/s',
            'GFLOPs/clip',
            'MB',
            'time ratio',
            'GFLOPs ratio',
            'time/GFLOPs',
            'SGS',
            'network',
        ),
    )
    for row in rows:
        network = row.get('network_share')
        table.add_row(
            f'{row["work"]}, {row["batch_size"]}',
            row['variant'],
            str(row['clips_at_once']),
            format_ms(row),
            f'{row["clips_per_second"]:.4g}',
            f'{row["gflops_per_clip"]:.4g}',
            f'{row["memory"] / 2**20:.1f}',
            f'{row["time_ratio"]:.2f}',
            f'{row["gflops_ratio"]:.2f}',
            f'{row["time_over_gflops"]:.2f}',
            f'{100 * row["sgs_over_base"]:.1f} %',
            '' if network is None else f'{100 * network:.0f} %',
        )
    print_table(table, console, names=2)


def print_speed_table(rows: List[Dict], console: Console) -> None:
    """Prints a line for each model and kind of work."""
    table = make_table(
        'sampling against the base',
        (
            'model, work, clips',
            'base ms/clip',
            'ATFR ms/clip',
            'time [min, max]',
            'GFLOPs',
            'R',
            "R'",
            'padded/ATFR',
            'SGS',
            'memory',
        ),
    )
    cases = dict.fromkeys(
        (row['model'], row['work'], row['batch_size']) for row in rows
    )
    for case in cases:
        found = {
            row['variant']: row
            for row in rows
            if (row['model'], row['work'], row['batch_size']) == case
        }
        base, ours = found['base'], found['ATFR']
        # The fastest form of each.
        least, least_base = (
            min(
                found[form]['seconds_per_clip']
                for form in (
                    name,
                    f'{name}, channels last',
                    f'{name}, CUDA graph',
                )
                if form in found
            )
            for name in ('ATFR', 'base')
        )
        padded = next(found[name] for name in PADDINGS if name in found)
        seconds = ours['seconds_per_clip']
        table.add_row(
            ', '.join(map(str, case)),
            f'{1e3 * base["seconds_per_clip"]:.4g}',
            f'{1e3 * seconds:.4g}',
            f'{ours["time_ratio"]:.2f} [{ours["time_ratio_low"]:.2f}, '
            f'{ours["time_ratio_high"]:.2f}]',
            f'{ours["gflops_ratio"]:.2f}',
            f'{ours["time_over_gflops"]:.2f}',
            f'{least / least_base / ours["gflops_ratio"]:.2f}',
            # A batch of one clip has no padding.
            f'{padded["seconds_per_clip"] / seconds:.2f}'
            if case[2] > 1
            else '',
            f'{100 * ours["sgs_over_base"]:.1f} %',
            f'{ours["memory"] / base["memory"]:.2f}',
        )
    console.print(table)


def print_engines(
    title: str, rows: List[Dict[str, Any]], console: Console
) -> None:
    """Prints a table for each number of threads."""
    for threads in dict.fromkeys(row['threads'] for row in rows):
        table = make_table(
            f'{title}, {threads} thread{"s" * (threads > 1)}',
            (
                'contender',
                "B'",
                'ms [min, max]',
                'CPU ms',
                'of base',
                'GFLOPs',
                'against',
                'time [min, max]',
                'R',
            ),
        )
        for row in rows:
            if row['threads'] != threads:
                continue
            if 'refusal' in row:
                table.add_row(row['contender'], '', 'not on this processor')
                continue
            cells = [
                row['contender'],
                ', '.join(map(str, row['lengths'])),
                format_ms(row),
                f'{1e3 * row["cpu_seconds_per_clip"]:.4g}',
                f'{row["time_ratio"]["median"]:.2f}',
                f'{row["gflops_ratio"]:.3f}',
            ]
            if not row['bases']:
                table.add_row(*cells)
            for base, against in row['bases'].items():
                ratio = against['time_ratio']
                table.add_row(
                    *cells,
                    base,
                    f'{ratio["median"]:.2f} [{ratio["low"]:.2f}, '
                    f'{ratio["high"]:.2f}]',
                    f'{against["time_over_gflops"]:.2f}',
                )
                cells = [''] * len(cells)
        console.print(table)
    for refusal in dict.fromkeys(
        row['refusal'] for row in rows if 'refusal' in row
    ):
        console.print(f'not on this processor: {refusal}')


def explain_columns(console: Console) -> None:
    """Prints an explanation of the columns."""
    console.print(COLUMNS, highlight=False, markup=False)


def print_engine_summary(rows: List[Dict[str, Any]], console: Console) -> None:
    """Prints milliseconds per clip, with a column for each model."""
    models = list(dict.fromkeys(row['model'] for row in rows))
    threads = list(dict.fromkeys(row['threads'] for row in rows))
    table = make_table(
        f'ms a clip, {" / ".join(map(str, threads))} threads',
        ('contender', *models),
    )
    lines: Dict[str, Dict[str, List[str]]] = {}
    for row in rows:
        name, cell = row['contender'], 'none'
        if 'refusal' not in row:
            cell = f'{1e3 * row["seconds_per_clip"]:.4g}'
            if row['kept'] is not None:
                name += f", B'/T={row['kept']:g}"
        lines.setdefault(name, {}).setdefault(row['model'], []).append(cell)
    for name, cells in lines.items():
        table.add_row(
            name, *(' / '.join(cells.get(model, [])) for model in models)
        )
    console.print(table)


def print_lower_bounds(
    rows: List[Dict], machine: Machine, console: Console
) -> None:
    """Prints the times of recognizers and their lower bounds."""
    table = make_table(
        f'{machine.gflops_per_second:.4g} GFLOPs/s, '
        f'{machine.bytes_per_second / 1e9:.4g} GB/s',
        (
            'model, variant',
            'GFLOPs',
            'MB',
            'operations, ms',
            'bytes, ms',
            'both, ms',
            'measured, ms [min, max]',
            'of the bound',
        ),
    )
    for row in rows:
        bounds = {k: 1e3 * v for k, v in row['lower_bounds'].items()}
        table.add_row(
            f'{row["model"]}, {row["variant"]}',
            f'{row["gflops"]:.4g}',
            f'{row["megabytes"]:.4g}',
            f'{bounds["operations"]:.4g}',
            f'{bounds["bytes"]:.4g}',
            f'{bounds["both"]:.4g}',
            format_ms(row, 'seconds'),
            f'{1e3 * row["seconds"] / bounds["both"]:.2f}',
        )
    console.print(table)


def print_growth(
    title: str, rows: Sequence[Dict[str, Any]], console: Console
) -> None:
    """Prints the time of each batch."""
    table = make_table(
        title, ('clips x T', 'frames', 'kept', 'ms [min, max]', 'ms/frame')
    )
    for row in rows:
        table.add_row(
            f'{row["clips"]} x {row["num_frames"]}',
            str(row['frames']),
            str(row['kept']),
            format_ms(row, 'seconds'),
            f'{1e3 * row["seconds"] / row["frames"]:.3g}',
        )
    console.print(table)
