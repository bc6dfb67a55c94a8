"""The long demonstration: trains, tests and times networks on tempo."""

import statistics
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Sequence

from mmaction.models.recognizers import BaseRecognizer
from rich.console import Console
from torch import nn

from mmatfr.apis import load_recognizer, read_batch
from mmatfr.benchmark.timing import time_per_clip
from mmatfr.cli import make_table, print_table, write_report

from .tempo import draw_slow_and_fast, read_test_list
from .training import CONFIGS, test, train

__all__ = ['Network', 'compare']


class Network(NamedTuple):
    """A network of the demonstration.

    Attributes:
        title (str): Name in the table.
        config (str): Name of its config.
        epochs (int): Number of epochs that it trains.
    """

    title: str
    config: str
    epochs: int


def compare(
    networks: Sequence[Network],
    data: str,
    out: Path,
    num_clips: int = 96,
    rounds: int = 5,
) -> None:
    """Trains, tests and times networks; prints and writes a table.

    Finished steps are skipped. The groups of the last network are drawn.

    Args:
        networks (Sequence[Network]): The networks.
        data (str): Folder of the data set, which their configs read.
        out (Path): Folder of the table and the figure.
        num_clips (int): Number of test clips to time. Defaults to 96.
        rounds (int): Number of rounds of timing. Defaults to 5.
    """
    models: Dict[str, BaseRecognizer] = {}
    rows: List[Dict[str, Any]] = []
    for title, name, epochs in networks:
        checkpoint = train(title, name, epochs)
        metrics = test(title, name, checkpoint)
        rows.append(
            dict(
                model=title,
                config=f'{CONFIGS}/{name}.py',
                top1=metrics['acc/top1'],
                resolution=metrics['cost/temporal_resolution'],
                resolution_std=metrics['cost/length_std'] / 16,
                spearman=metrics.get('tempo/spearman'),
                gflops=metrics['cost/gflops_per_clip'],
            )
        )
        models[title] = load_recognizer(
            f'{CONFIGS}/{name}.py', str(checkpoint), 'cpu'
        )
    with Console().status('time both, in turns'):
        seconds = _time(models, data, num_clips, rounds)
    for row in rows:
        taken = seconds[row['model']]
        row.update(
            seconds=statistics.median(taken),
            seconds_min=min(taken),
            seconds_max=max(taken),
        )
    draw_slow_and_fast(models[networks[-1].title], out / 'groups.png', data)
    _show(rows)
    print(
        '± is the standard deviation over the clips; Spearman is the rank '
        "correlation of B' with the length of the action; times are on the "
        f'CPU without decoding, median [min, max] of {rounds} rounds.'
    )
    write_report(out, 'table', dict(rows=rows))
    print(f'written: {out / "groups.png"}')


def _time(
    models: Dict[str, nn.Module], data: str, num_clips: int, rounds: int
) -> Dict[str, List[float]]:
    """Returns the seconds per clip in each round, without decoding."""
    videos = [
        f'{data}/videos/{row["filename"]}'
        for row in read_test_list(data)[:num_clips]
    ]
    clips = {name: read_batch(model, videos) for name, model in models.items()}
    return time_per_clip(models, clips, rounds)


def _show(rows: List[dict]) -> None:
    """Prints the table."""
    table = make_table(
        'tempo small, test split',
        ('model', 'top-1 %', "B'/T", 'Spearman', 'GFLOPs', 'ms/clip'),
    )
    for row in rows:
        table.add_row(
            row['model'],
            f'{100 * row["top1"]:.1f}',
            f'{row["resolution"]:.2f} ± {row["resolution_std"]:.2f}',
            '' if row['spearman'] is None else f'{row["spearman"]:.2f}',
            f'{row["gflops"]:.4f}',
            f'{1e3 * row["seconds"]:.2f} [{1e3 * row["seconds_min"]:.2f}, '
            f'{1e3 * row["seconds_max"]:.2f}]',
        )
    print_table(table)
