"""Recognizes a video: classes, temporal resolution, cost and a figure.

CONFIG may be a file of tools/deployment/export_model.py, which is then run in
--engine.
"""

import argparse
import os
from pathlib import Path
from typing import List, Optional, Sequence

import torch
from mmengine.dataset import pseudo_collate
from rich.console import Console
from rich.table import Table
from torch import nn

from mmatfr.apis import first_view, load_recognizer, read_clips
from mmatfr.atomic_write import atomic_path
from mmatfr.cli import run_script
from mmatfr.cost import ClipRecorder
from mmatfr.deploy import ENGINES, load_model
from mmatfr.visualization.figures import (
    ClipGroups,
    GroupsRecorder,
    draw_groups,
)
from mmatfr.zoo.models import config_path, released_weights

_NAME = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'
# What `make demo` trains, where no weights have been released.
_TRAINED = Path(__file__).parents[1] / f'work_dirs/{_NAME}/epoch_8.pth'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('video', help='a video file')
    parser.add_argument(
        'config',
        nargs='?',
        help='config of a recognizer, by path or by name, or an exported '
        f'file, *.onnx (default: {_NAME})',
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
    parser.add_argument(
        '--engine',
        choices=list(ENGINES),
        help=f'of an exported file (default: {next(iter(ENGINES))})',
    )
    args = parser.parse_args()
    if args.engine and not is_deployed(args.config):
        parser.error('--engine is for an exported file, *.onnx')
    return args


def is_deployed(config: Optional[str]) -> bool:
    return config is not None and config.endswith('.onnx')


def print_classes(
    video: str, names: Sequence[str], scores: Sequence[float]
) -> None:
    table = Table(title=os.path.basename(video))
    table.add_column('class')
    table.add_column('score', justify='right')
    for name, score in zip(names, scores):
        table.add_row(name, f'{score:.3f}')
    Console().print(table)


def save_figure(args: argparse.Namespace, clips: List[ClipGroups]) -> None:
    if not clips:
        print('nothing samples here: no figure to draw')
        return
    out = Path(
        args.out or Path('results/demo') / f'{Path(args.video).stem}.png'
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(out) as part:
        draw_groups(clips).savefig(part)
    print(f'figure of the first view: {out}')


def run_deployed(args: argparse.Namespace) -> None:
    if args.checkpoint:
        raise ValueError(
            f'{args.config!r} has its weights in it; leave out '
            f'{args.checkpoint!r}'
        )
    model = load_model(args.config, args.engine or next(iter(ENGINES)))
    views = model.read_views(args.video)
    result = model(views)
    top = result.scores.argsort()[::-1][: args.topk]
    print_classes(
        args.video, [model.class_name(i) for i in top], result.scores[top]
    )
    clips = []
    for pathway in model.info.pathways:
        lengths, groups = result.lengths, result.groups
        if pathway:
            lengths, groups = lengths[pathway], groups[pathway]
        num_frames = groups.shape[1]
        print(
            f"{pathway or 'temporal resolution'} B': {lengths.tolist()} of "
            f'{num_frames} frames, for {len(lengths)} view(s)'
        )
        step = model.info.num_frames // num_frames
        title = ', '.join(filter(None, [Path(args.video).name, pathway]))
        clips.append(ClipGroups(views[0, ::step], groups[0], title=title))
    save_figure(args, clips)


def class_names(model: nn.Module, labels: Sequence[int]) -> List[str]:
    if model.classes is None or len(model.classes) <= max(labels):
        return [f'class {label}' for label in labels]
    return [model.classes[label] for label in labels]


def run(args: argparse.Namespace) -> None:
    if is_deployed(args.config):
        return run_deployed(args)
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
    with (
        ClipRecorder(model) as recorder,
        GroupsRecorder(model) as groups,
        torch.no_grad(),
    ):
        sample = model.test_step(pseudo_collate([data]))[0]
        records = recorder.take()

    scores = sample.pred_score.cpu()
    top = scores.topk(min(args.topk, len(scores)))
    print_classes(
        args.video,
        class_names(model, top.indices.tolist()),
        top.values.tolist(),
    )
    console = Console()
    console.print(
        f"temporal resolution B': {records.lengths.tolist()} of "
        f'{records.num_frames} frames, for {len(records.lengths)} view(s)'
    )
    console.print(
        f'GFLOPs spent: {records.gflops.sum():.4g} (multiply-adds, all views)'
    )

    clips = groups.groups(
        0,
        first_view(model, data['inputs']),
        title=os.path.basename(args.video),
    )
    save_figure(args, clips)


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
