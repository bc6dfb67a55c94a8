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

_ROOT = Path(__file__).resolve().parents[1]
_NAME = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-4e_tempo-small-rgb'
_CONFIG = _ROOT / f'configs/recognition/resnet3d/{_NAME}.py'
_CHECKPOINT = _ROOT / f'work_dirs/{_NAME}/epoch_4.pth'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('video', help='a video file')
    parser.add_argument(
        'config',
        nargs='?',
        help='config of a recognizer (default: the one that `make demo` '
        'trains)',
    )
    parser.add_argument('checkpoint', nargs='?', help='its checkpoint')
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
    args = parser.parse_args()
    if args.config and not args.checkpoint:
        parser.error('a config needs its checkpoint')
    return args


def class_names(model: nn.Module, labels: Sequence[int]) -> List[str]:
    if model.classes is None or len(model.classes) <= max(labels):
        return [f'class {label}' for label in labels]
    return [model.classes[label] for label in labels]


def run(args: argparse.Namespace) -> None:
    config = args.config or str(_CONFIG)
    model = load_recognizer(
        config,
        args.checkpoint or str(_CHECKPOINT),
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
