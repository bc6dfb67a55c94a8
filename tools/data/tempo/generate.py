"""Generates the data set tempo."""

import argparse
import dataclasses
import os
import sys
import time

from mmatfr.cli import make_progress, run_script
from mmatfr.datasets.tempo import (
    SIZES,
    SPLITS,
    WORLDS,
    Tempo,
    VideoFormat,
    get_size,
    write_tempo,
)

# With fewer clips per process, another process costs more than it saves.
_CLIPS_PER_WORKER = 300


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--size', default='small', help=f'one of {", ".join(SIZES)}'
    )
    parser.add_argument(
        '--world',
        default='still',
        help='changes in a clip apart from the acting object, one of '
        f'{", ".join(WORLDS)} (default: %(default)s)',
    )
    parser.add_argument(
        '--out',
        help='folder of the data set (default: data/tempo/SIZE, or '
        'data/tempo/SIZE-WORLD for a world other than still)',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--workers',
        type=int,
        help='number of processes (default: up to one per core)',
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace an existing data set',
    )
    group = parser.add_argument_group('override the values of the size')
    for split in SPLITS:
        group.add_argument(
            f'--{split}', type=int, help=f'number of clips of {split}'
        )
    group.add_argument(
        '--frame-size',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        help='height and width in pixels, even',
    )
    group.add_argument('--frames', type=int, help='number of frames of a clip')
    group.add_argument('--fps', type=int, help='frames per second')
    group.add_argument(
        '--codec', help='four-character code of the encoder (default: mp4v)'
    )
    return parser.parse_args()


def get_parameters(args: argparse.Namespace) -> Tempo:
    """Overrides the parameters of the size with the given arguments."""
    tempo = get_size(args.size)
    height, width = args.frame_size or (None, None)
    shape = dict(height=height, width=width, frames=args.frames, fps=args.fps)
    video: VideoFormat = dataclasses.replace(
        tempo.video, **{k: v for k, v in shape.items() if v is not None}
    )
    names = (*SPLITS, 'seed', 'codec', 'world')
    given = {
        name: getattr(args, name)
        for name in names
        if getattr(args, name) is not None
    }
    return dataclasses.replace(tempo, video=video, **given)


def run() -> None:
    args = parse_args()
    begin = time.perf_counter()
    tempo = get_parameters(args)
    total = sum(getattr(tempo, split) for split in SPLITS)
    workers = args.workers
    if workers is None:
        workers = min(os.cpu_count() or 1, max(1, total // _CLIPS_PER_WORKER))
    name = args.size
    if args.world != 'still':
        name += f'-{args.world}'
    out = args.out or os.path.join('data', 'tempo', name)
    steps = write_tempo(out, tempo, workers, args.overwrite)
    if steps is None:
        print(f'{out} is already complete, nothing to do')
        return
    try:
        with make_progress() as progress:
            for _ in progress.track(steps, total, description='clips'):
                pass
    except KeyboardInterrupt:
        print(
            'interrupted: the same command continues from here',
            file=sys.stderr,
        )
        sys.exit(130)
    print(f'{total} clips in {out} after {time.perf_counter() - begin:.1f} s')


if __name__ == '__main__':
    run_script(run)
