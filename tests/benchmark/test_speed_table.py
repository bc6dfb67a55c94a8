"""Tables of benchmarks."""

import io
import re

import pytest
from rich.console import Console

from mmatfr.benchmark.tables import print_speed_table


def make_row(variant, seconds, gflops_ratio=1.0):
    ratio = seconds / 4.0  # the base takes 4 s
    return dict(
        model='x3d-s',
        work='forward',
        batch_size=8,
        variant=variant,
        seconds_per_clip=seconds,
        time_ratio=ratio,
        time_ratio_low=ratio,
        time_ratio_high=ratio,
        gflops_ratio=gflops_ratio,
        time_over_gflops=ratio / gflops_ratio,
        sgs_over_base=0.01,
        memory=1,
    )


@pytest.mark.parametrize(
    'base, ours, graph, expected',
    [
        (2.0, None, None, '3.00'),  # 3 s against 2 s, at half the cost
        (8.0, None, None, '1.50'),  # the plain base is faster
        (2.0, 1.0, None, '1.00'),  # both are faster in channels last
        (8.0, 6.0, None, '1.50'),
        (2.0, 1.0, 0.5, '4.00'),  # the base is fastest as a graph
    ],
)
def test_both_are_compared_in_their_fastest_form(base, ours, graph, expected):
    rows = [
        make_row('base', 4.0),
        make_row('base, channels last', base),
        make_row('ATFR', 3.0, 0.5),
        make_row('padded', 5.0),
    ]
    if ours is not None:
        rows.append(make_row('ATFR, channels last', ours, 0.5))
    if graph is not None:
        rows.append(make_row('base, CUDA graph', graph))
    text = io.StringIO()
    print_speed_table(rows, Console(file=text, width=200))
    (line,) = (line for line in text.getvalue().splitlines() if 'x3d' in line)
    cells = [cell.strip() for cell in re.split('[|│]', line) if cell.strip()]
    assert cells[5:7] == ['1.50', expected]
