"""Recognizes a video: classes, temporal resolution, cost and a figure."""

import argparse
import os
from pathlib import Path
from typing import List, Sequence

import torch
from mmengine.dataset import pseudo_collate
from rich.console import Console
from rich.table import Table
from torch import nn

from mmatfr.analysis import ClipRecorder
from mmatfr.analysis.figures import draw_groups, groups_of_layers
from mmatfr.analysis.recognizers import (
    first_view,
    load_recognizer,
    read_clips,
)
from mmatfr.cli import run_script
from mmatfr.zoo.models import config_path, released_weights

_NAME = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'
# What `make demo` trains, where no weights have been released.
_TRAINED = Path(__file__).parents[1] / f'work_dirs/{_NAME}/epoch_8.pth'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('video', help='a video file')
    parser.add_argument(
        'config',
        nargs='?',
        help=f'config of a recognizer, by path or by name (default: {_NAME})',
    )
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='its checkpoint (default: the released weights)',
    )
    parser.add_argument(
        '--out', help='the figure (default: results/demo/VIDEO.png)'
    )
    parser.add_argument(
        '--topk', type=int, default=5, help='number of classes (default: 5)'
    )
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='default: %(default)s',
    )
    return parser.parse_args()


def class_names(model: nn.Module, labels: Sequence[int]) -> List[str]:
    if model.classes is None or len(model.classes) <= max(labels):
        return [f'class {label}' for label in labels]
    return [model.classes[label] for label in labels]


def run(args: argparse.Namespace) -> None:
    config = config_path(args.config or _NAME)
    checkpoint = args.checkpoint or released_weights(Path(config).stem)
    if checkpoint is None and args.config:
        raise ValueError(
            f'no weights have been released for {args.config!r}; name a '
            'checkpoint'
        )
    model = load_recognizer(
        config,
        checkpoint or str(_TRAINED),
        args.device,
        remedy='run `make demo` or `tools/train.py`, '
        'or name a config and its checkpoint',
    )
    data = read_clips(model.cfg, args.video)
    with ClipRecorder(model) as recorder, torch.no_grad():
        sample = model.test_step(pseudo_collate([data]))[0]
        records = recorder.take()

    scores = sample.pred_score.cpu()
    top = scores.topk(min(args.topk, len(scores)))
    table = Table(title=os.path.basename(args.video))
    table.add_column('class')
    table.add_column('score', justify='right')
    for name, score in zip(
        class_names(model, top.indices.tolist()), top.values.tolist()
    ):
        table.add_row(name, f'{score:.3f}')
    console = Console()
    console.print(table)
    console.print(
        f"temporal resolution B': {records.lengths.tolist()} of "
        f'{records.num_frames} frames, for {len(records.lengths)} view(s)'
    )
    console.print(
        f'GFLOPs spent: {records.gflops.sum():.4g} (multiply-adds, all views)'
    )

    clips = groups_of_layers(
        model,
        first_view(model, data['inputs']),
        title=os.path.basename(args.video),
    )
    if not clips:
        console.print('nothing samples here: no figure to draw')
        return
    out = Path(
        args.out or Path('results/demo') / f'{Path(args.video).stem}.png'
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    draw_groups(clips).savefig(out)
    console.print(f'figure of the first view: {out}')


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
