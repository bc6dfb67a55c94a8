"""Draws the film strips of README and docs from generated videos.

A released network groups the frames of two videos of tempo, one that mostly
stands still and one that moves throughout.
"""

import argparse
import tempfile
from pathlib import Path
from typing import List

import torch
from mmengine.dataset import pseudo_collate
from PIL import Image

from mmatfr.apis import first_view, load_recognizer, read_clips
from mmatfr.arguments import make_parser
from mmatfr.atomic_write import atomic_path
from mmatfr.cli import run_script
from mmatfr.datasets.tempo import VideoFormat, render_clip
from mmatfr.datasets.video_files import write_video
from mmatfr.visualization.figures import (
    ClipGroups,
    GroupsRecorder,
    draw_groups,
    to_image,
)
from mmatfr.zoo.models import config_path, released_weights

_NAME = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'
# Indices of videos in the test split of tempo small.
_VIDEOS = {'mostly still': 8, 'moving throughout': 50}


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        '--out',
        type=Path,
        default=Path(__file__).resolve().parents[2] / 'docs/images',
        help='folder of the images (default: %(default)s)',
    )
    return parser.parse_args()


def group_videos() -> List[ClipGroups]:
    """Generates the videos and groups their frames with the network."""
    model = load_recognizer(config_path(_NAME), released_weights(_NAME))
    video = VideoFormat()
    clips = []
    with tempfile.TemporaryDirectory() as folder:
        for title, index in _VIDEOS.items():
            path = Path(folder) / f'{index}.mp4'
            write_video(path, render_clip(0, 'test', index, video), video.fps)
            data = read_clips(model.cfg, str(path))
            with GroupsRecorder(model) as recorder, torch.no_grad():
                model.test_step(pseudo_collate([data]))
            view = first_view(model, data['inputs'], 0)
            clips += recorder.groups(0, view, title)
    return clips


def run(args: argparse.Namespace) -> None:
    clips = group_videos()
    strips = [clip._replace(magnitude=None) for clip in clips]
    args.out.mkdir(parents=True, exist_ok=True)
    for name, shown in (('strips', strips), ('groups', clips)):
        path = args.out / f'{name}.png'
        # A palette keeps the file small.
        image = Image.fromarray(to_image(draw_groups(shown)))
        with atomic_path(path) as part:
            image.quantize(128).save(part, format='png', optimize=True)
        print(f'written: {path}, {path.stat().st_size / 1000:.0f} kB')


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
