"""How far recognizers are from the least time that a machine needs.

Two floors stand under every forward: its multiply-adds at the speed of a large
matrix product, and the numbers that its convolutions and products read and
write at the speed of a large copy. Both speeds are measured first. What lies
between the convolutions is taken to be free. Recognizers run one clip at a
time, on noise, with as many groups as is asked for.
"""

import argparse
import statistics
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Dict, Iterable, List

import torch
from rich.console import Console
from speed_table import MODELS, find_config, shape_of
from torch import nn

from mmatfr.apis import (
    build_recognizer,
    clip_shape,
    frames_of,
    load_config,
    without_sampling,
)
from mmatfr.benchmark.floors import Machine, floors_of, measure_machine
from mmatfr.benchmark.timing import time_in_turns
from mmatfr.cli import make_progress, make_table, run_script, write_report
from mmatfr.cost import CostModel
from mmatfr.sgs import force_lengths, sgs_layers


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--models',
        nargs='+',
        choices=list(MODELS),
        default=list(MODELS)[:-1],
        help='default: all but x3d-xl',
    )
    parser.add_argument(
        '--shape',
        type=int,
        nargs=3,
        metavar=('T', 'H', 'W'),
        help="of the clips of all (default: each model's)",
    )
    parser.add_argument(
        '--resolution',
        type=float,
        default=0.5,
        help="B'/T (default: %(default)s)",
    )
    parser.add_argument(
        '--clips',
        type=int,
        default=8,
        help='number of clips of a round (default: %(default)s)',
    )
    parser.add_argument(
        '--rounds', type=int, default=5, help='default: %(default)s'
    )
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='default: %(default)s',
    )
    parser.add_argument(
        '--out',
        default='results/floors',
        help='folder of the JSON file (default: %(default)s)',
    )
    return parser.parse_args()


def run_model(
    name: str, machine: Machine, args: argparse.Namespace, progress
) -> List[Dict]:
    """Computes the floors of a recognizer and its base, and times both."""
    cfg = load_config(find_config(name))
    shape = clip_shape(cfg, args.shape or shape_of(name))
    fast = without_sampling(cfg.model)
    fast.backbone.channels_last = True
    sides: Dict[str, nn.Module] = {
        'base': build_recognizer(without_sampling(cfg.model)),
        'base, channels last': build_recognizer(fast),
        'ATFR': build_recognizer(cfg.model),
    }
    rows, functions = [], {}
    for side, model in sides.items():
        cost = CostModel(model)
        length = tuple(
            max(1, round(args.resolution * number))
            for number in cost.num_frames(shape)
        )
        operations = cost.operations(shape, length)
        rows.append(
            dict(
                model=name,
                side=side,
                gflops=cost.gflops(shape, length),
                megabytes=4e-6 * sum(o.numbers for o in operations),
                floors=floors_of(operations, machine)._asdict(),
            )
        )
        clips = torch.randn(args.clips, 1, *shape, device=args.device)
        if frames_of(model) is not None:
            clips = clips.transpose(2, 3).contiguous()
        else:
            clips = clips[:, None]
        functions[side] = partial(_run, model.to(args.device), clips, length)
    task = progress.add_task(name, total=len(functions) * (args.rounds + 1))
    seconds = time_in_turns(
        functions, args.rounds, lambda: progress.advance(task)
    )
    for row in rows:
        taken = [each / args.clips for each in seconds[row['side']]]
        row.update(
            seconds=statistics.median(taken),
            seconds_min=min(taken),
            seconds_max=max(taken),
        )
    return rows


def _run(model: nn.Module, clips: Iterable[torch.Tensor], length) -> None:
    forced = force_lengths(model, [length]) if sgs_layers(model) else None
    with torch.no_grad(), forced or nullcontext():
        for clip in clips:
            model(clip, mode='tensor', stage='head')


def print_rows(rows: List[Dict], machine: Machine, console: Console) -> None:
    """Prints the table."""
    table = make_table(
        f'{machine.gflops_per_second:.4g} GFLOPs/s, '
        f'{machine.bytes_per_second / 1e9:.4g} GB/s',
        (
            'model, side',
            'GFLOPs',
            'MB',
            'operations, ms',
            'bytes, ms',
            'both, ms',
            'measured, ms [min, max]',
            'of the floor',
        ),
    )
    for row in rows:
        floors = {k: 1e3 * v for k, v in row['floors'].items()}
        table.add_row(
            f'{row["model"]}, {row["side"]}',
            f'{row["gflops"]:.4g}',
            f'{row["megabytes"]:.4g}',
            f'{floors["operations"]:.4g}',
            f'{floors["bytes"]:.4g}',
            f'{floors["both"]:.4g}',
            f'{1e3 * row["seconds"]:.4g} [{1e3 * row["seconds_min"]:.4g}, '
            f'{1e3 * row["seconds_max"]:.4g}]',
            f'{1e3 * row["seconds"] / floors["both"]:.2f}',
        )
    console.print(table)


def run(args: argparse.Namespace) -> None:
    machine = measure_machine(args.device)
    rows: List[Dict] = []
    with make_progress() as progress:
        for name in args.models:
            rows += run_model(name, machine, args, progress)
    print_rows(rows, machine, Console(width=120))
    write_report(
        Path(args.out), 'floors', dict(machine=machine._asdict(), rows=rows)
    )


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
