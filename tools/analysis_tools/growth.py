"""How the time of a recognizer grows with the frames that it keeps.

Runs clips of noise of several lengths in batches of several sizes, half of
the frames of each clip kept on average, and reports the time by the number of
frames in the batch: twice the frames should take twice the time.
"""

import argparse
import statistics
from pathlib import Path
from typing import Callable, Dict, List

import torch
from matplotlib.figure import Figure
from mmengine.config import DictAction
from rich.console import Console
from torch import nn

from mmatfr.apis import build_recognizer, frames_of, load_config
from mmatfr.benchmark.timing import time_in_turns
from mmatfr.cli import make_progress, make_table, run_script, write_report
from mmatfr.sgs import force_lengths, sgs_layers
from mmatfr.visualization.figures import COLOURS, new_figure

_FRAMES_OF_A_ROUND = 1024


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config of a 3D recognizer')
    parser.add_argument(
        '--frames',
        type=int,
        nargs='+',
        default=[8, 16, 32, 64, 128],
        help='T of the clips (default: 8 16 32 64 128)',
    )
    parser.add_argument(
        '--batch-sizes',
        type=int,
        nargs='+',
        default=[1, 8, 64],
        help='default: 1 8 64',
    )
    parser.add_argument(
        '--size',
        type=int,
        default=56,
        help='height and width of the clips (default: %(default)s)',
    )
    parser.add_argument(
        '--execution',
        choices=['auto', 'packed', 'sequential'],
        default='auto',
        help='default: %(default)s',
    )
    parser.add_argument(
        '--rounds', type=int, default=3, help='default: %(default)s'
    )
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='default: %(default)s',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings that go on top of the config, name=value',
    )
    parser.add_argument(
        '--out',
        default='results/growth',
        help='folder of the JSON file and the figure (default: %(default)s)',
    )
    return parser.parse_args()


def lengths_of(num_clips: int, num_frames: int) -> List[int]:
    """Unequal lengths, half of the frames on average."""
    if num_clips == 1:
        return [num_frames // 2]
    shares = torch.linspace(0.2, 0.8, num_clips).tolist()
    return [max(1, round(share * num_frames)) for share in shares]


def repeats_of(num_clips: int, num_frames: int) -> int:
    """How often a batch runs in a round: the small ones more often."""
    return max(1, _FRAMES_OF_A_ROUND // (num_clips * num_frames))


def make_function(
    model: nn.Module, num_clips: int, num_frames: int, args: argparse.Namespace
) -> Callable[[], None]:
    """Makes the function that runs a batch, a few times."""
    clips = torch.randn(
        num_clips, 1, 3, num_frames, args.size, args.size, device=args.device
    )
    lengths = lengths_of(num_clips, num_frames)

    def run() -> None:
        with torch.no_grad(), force_lengths(model, lengths):
            for _ in range(repeats_of(num_clips, num_frames)):
                model(clips, mode='tensor', stage='head')

    return run


def draw_growth(rows: List[Dict]) -> Figure:
    """Draws the time by the number of frames, a line for each batch size."""
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


def run(args: argparse.Namespace) -> None:
    cfg = load_config(args.config)
    cfg.merge_from_dict(args.cfg_options)
    model = build_recognizer(cfg.model).to(args.device)
    if len(sgs_layers(model)) != 1 or frames_of(model) is not None:
        raise ValueError(
            f'{args.config!r} is not a 3D recognizer with one layer that '
            'samples; name another'
        )
    model.backbone.execution = args.execution
    functions = {
        (clips, frames): make_function(model, clips, frames, args)
        for clips in args.batch_sizes
        for frames in args.frames
    }
    with make_progress() as progress:
        task = progress.add_task(
            'time', total=len(functions) * (args.rounds + 1)
        )
        seconds = time_in_turns(
            functions, args.rounds, lambda: progress.advance(task)
        )
    rows = []
    table = make_table(
        f'{Path(args.config).stem}, {args.size}x{args.size}',
        ('clips x T', 'frames', 'kept', 'ms [min, max]', 'ms/frame'),
    )
    for (clips, frames), taken in seconds.items():
        taken = [each / repeats_of(clips, frames) for each in taken]
        row = dict(
            clips=clips,
            num_frames=frames,
            frames=clips * frames,
            kept=sum(lengths_of(clips, frames)),
            seconds=statistics.median(taken),
            seconds_min=min(taken),
            seconds_max=max(taken),
        )
        rows.append(row)
        table.add_row(
            f'{clips} x {frames}',
            str(row['frames']),
            str(row['kept']),
            f'{1e3 * row["seconds"]:.4g} [{1e3 * row["seconds_min"]:.4g}, '
            f'{1e3 * row["seconds_max"]:.4g}]',
            f'{1e3 * row["seconds"] / row["frames"]:.3g}',
        )
    Console().print(table)
    write_report(
        Path(args.out),
        Path(args.config).stem,
        dict(config=args.config, size=args.size, rows=rows),
        figure=draw_growth(rows),
    )


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
