"""Recognizes a video: classes, temporal resolution, cost and a figure."""

import argparse
import os
import sys
from pathlib import Path
from typing import List, Sequence

import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from rich.console import Console
from rich.table import Table
from torch import nn

import mmatfr  # noqa: F401  isort: skip
from mmaction.registry import MODELS

from mmatfr.analysis import ClipRecorder
from mmatfr.analysis.figures import draw_groups, groups_of_clip

_ROOT = Path(__file__).resolve().parents[1]
_NAME = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-12e_tempo-small-rgb'
_CONFIG = _ROOT / f'configs/recognition/resnet3d/{_NAME}.py'
_CHECKPOINT = _ROOT / f'work_dirs/{_NAME}/epoch_12.pth'


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


def load_recognizer(config: str, checkpoint: str, device: str) -> nn.Module:
    """Builds a recognizer and loads weights that fit it exactly.

    Args:
        config (str): Path of the config.
        checkpoint (str): Path of the checkpoint.
        device (str): Where to.

    Returns:
        nn.Module: In evaluation mode, with ``cfg`` and ``classes``.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the weights are not those of the model.
    """
    for path, remedy in (
        (config, 'name another'),
        (
            checkpoint,
            'run `make demo` or `tools/train.py`, '
            'or name a config and its checkpoint',
        ),
    ):
        if not os.path.isfile(path):
            raise FileNotFoundError(f'{path!r} does not exist; {remedy}')
    cfg = Config.fromfile(config)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    model = MODELS.build(cfg.model)
    loaded = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    weights = loaded.get('state_dict', loaded)
    own = model.state_dict()
    wrong = [
        f'{name} is {tuple(weights[name].shape)} there and '
        f'{tuple(own[name].shape)} here'
        for name in own
        if name in weights and weights[name].shape != own[name].shape
    ]
    wrong += [
        f'{name} is missing there' for name in own.keys() - weights.keys()
    ]
    wrong += [
        f'{name} is unknown here' for name in weights.keys() - own.keys()
    ]
    if wrong:
        more = f' (and {len(wrong) - 1} more)' if len(wrong) > 1 else ''
        raise ValueError(
            f'{checkpoint!r} does not fit {config!r}: '
            f'{wrong[0]}{more}; name the config it was trained '
            'with, num_classes included'
        )
    model.load_state_dict(weights)
    model.cfg = cfg
    classes = loaded.get('meta', {}).get('dataset_meta', {}).get('classes')
    model.classes = classes if isinstance(classes, (list, tuple)) else None
    return model.to(device).eval()


def read_clips(cfg: Config, video: str) -> dict:
    """Runs the test pipeline of a config on a video.

    Args:
        cfg (Config): With ``test_dataloader``.
        video (str): Path of the video.

    Returns:
        dict: ``inputs`` (views, 3, T, H, W) and ``data_samples``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be decoded.
    """
    if not os.path.isfile(video):
        raise FileNotFoundError(f'the video {video!r} does not exist')
    pipeline = Compose(cfg.test_dataloader.dataset.pipeline)
    try:
        return pipeline(
            dict(filename=video, label=-1, start_index=0, modality='RGB')
        )
    except Exception as error:  # decoders raise whatever they like
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f'cannot read the video {video!r}: {reason}; '
            're-encode it or choose another'
        ) from error


def class_names(model: nn.Module, labels: Sequence[int]) -> List[str]:
    if model.classes is None or len(model.classes) <= max(labels):
        return [f'class {label}' for label in labels]
    return [model.classes[label] for label in labels]


def run(args: argparse.Namespace) -> None:
    config = args.config or str(_CONFIG)
    model = load_recognizer(
        config, args.checkpoint or str(_CHECKPOINT), args.device
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

    sgs = getattr(model.backbone, 'sgs', None)
    if sgs is None:
        console.print('the backbone has no sampling: no figure to draw')
        return
    out = Path(
        args.out or Path('results/demo') / f'{Path(args.video).stem}.png'
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    clip = groups_of_clip(
        sgs, data['inputs'][0], title=os.path.basename(args.video)
    )
    draw_groups([clip]).savefig(out)
    console.print(f'figure of the first view: {out}')


def main() -> int:
    args = parse_args()
    try:
        run(args)
    except (ValueError, FileNotFoundError) as error:
        if os.environ.get('MMATFR_TRACEBACK', '0') != '0':
            raise
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
