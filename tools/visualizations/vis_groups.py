"""Draws the frames of a video with their groups and magnitudes.

It writes a figure (PNG, PDF) and a self-contained page (HTML) that shows it
next to the clip in motion.
"""

import argparse
from pathlib import Path
from typing import Tuple

import torch
from mmaction.registry import DATASETS
from mmengine.dataset import pseudo_collate
from torch import nn

from mmatfr.apis import first_view, frame_times, load_recognizer, read_clips
from mmatfr.arguments import make_parser
from mmatfr.atomic_write import atomic_path, write_text
from mmatfr.cli import run_script
from mmatfr.visualization.animated_page import make_animated_page
from mmatfr.visualization.figures import GroupsRecorder, draw_groups
from mmatfr.zoo.models import config_path, find_checkpoint


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('config', help='config, path or name')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        default='released',
        help='its checkpoint (default: %(default)s)',
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--video', help='a video file')
    source.add_argument(
        '--index', type=int, help='index of a video of the test set'
    )
    parser.add_argument(
        '--view',
        type=int,
        default=0,
        help='view of the test pipeline (default: %(default)s)',
    )
    parser.add_argument(
        '--out',
        default='results/vis_groups',
        help='folder of the files (default: %(default)s)',
    )
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='default: %(default)s',
    )
    return parser.parse_args()


def read_video(model: nn.Module, args: argparse.Namespace) -> Tuple[str, dict]:
    """Reads the requested video; also returns its name."""
    if args.video is not None:
        return Path(args.video).stem, read_clips(model.cfg, args.video)
    dataset = DATASETS.build(model.cfg.test_dataloader.dataset)
    if not 0 <= args.index < len(dataset):
        raise ValueError(
            f'--index {args.index} is not a video of the test set, which has '
            f'0 to {len(dataset) - 1}'
        )
    return f'test_{args.index}', dataset[args.index]


def run(args: argparse.Namespace) -> None:
    config = config_path(args.config)
    checkpoint = find_checkpoint(config, args.checkpoint)
    model = load_recognizer(config, checkpoint, args.device)
    name, data = read_video(model, args)
    with GroupsRecorder(model) as recorder, torch.no_grad():
        model.test_step(pseudo_collate([data]))
    if not recorder.layers:
        raise ValueError(
            f'nothing samples in {args.config!r}; use a config with sgs'
        )
    if not 0 <= args.view < recorder.num_views:
        raise ValueError(
            f'--view {args.view} is not a view of the test pipeline, which '
            f'has 0 to {recorder.num_views - 1}'
        )
    clip = first_view(model, data['inputs'], args.view)
    times = frame_times(data['data_samples'], clip.shape[1])
    clips = recorder.groups(
        args.view,
        clip,
        title=name,
        seconds=None if times is None else times[args.view % len(times)],
    )
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f'{name}.{ending}' for ending in ('png', 'pdf', 'html')]
    figure = draw_groups(clips)
    for path in paths[:2]:
        with atomic_path(path) as part:
            figure.savefig(part)
    write_text(paths[2], make_animated_page([[clip] for clip in clips], name))
    print(f'written: {", ".join(map(str, paths))}')


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
