"""Writes training, validation and test lists for videos sorted by class.

The videos are FOLDER/CLASS/*.mp4 (or in another format, or in subfolders).
Every video is decoded; unreadable ones are reported and left out. The others
are shuffled and divided class by class. The script writes train.txt, val.txt
and test.txt, with `CLASS/video label` in each line, classes.txt, with a class
in each line, and bad.txt, next to FOLDER or to --out.
"""

import argparse
import os
import random
import sys
from pathlib import Path
from typing import Dict, List

from mmatfr.atomic_write import write_text
from mmatfr.cli import make_progress, run_script
from mmatfr.datasets.decoding import find_faults

SPLITS = ('train', 'val', 'test')
_ENDINGS = ('avi', 'flv', 'm4v', 'mkv', 'mov', 'mp4', 'mpeg', 'mpg', 'webm')
_SHOWN = 5  # number of reported unreadable videos


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'folder', type=Path, help='contains one folder per class'
    )
    parser.add_argument(
        '--out',
        type=Path,
        help='folder of the lists (default: next to FOLDER)',
    )
    for split in SPLITS[1:]:
        parser.add_argument(
            f'--{split}',
            type=float,
            default=0.15,
            help=f'share of each class in {split}.txt, at least one video '
            '(default: %(default)s)',
        )
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of the shuffle (default: 0)'
    )
    parser.add_argument(
        '--min-frames',
        type=int,
        default=1,
        help='minimum number of frames of a video (default: 1)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=os.cpu_count(),
        help='number of processes (default: %(default)s, one per core)',
    )
    args = parser.parse_args()
    for name in ('min_frames', 'workers'):
        if getattr(args, name) < 1:
            option = '--' + name.replace('_', '-')
            parser.error(f'{option} {getattr(args, name)} must be at least 1')
    if min(args.val, args.test) <= 0 or args.val + args.test >= 1:
        parser.error(
            f'--val {args.val} and --test {args.test} must be greater than 0 '
            'and leave videos for training'
        )
    return args


def find_videos(folder: Path) -> Dict[str, List[str]]:
    """Finds the videos of each class.

    Args:
        folder (Path): Folder that contains a folder for each class.

    Returns:
        dict[str, list[str]]: Videos by class, relative to the folder, both
        sorted.

    Raises:
        ValueError: If there are no classes, a video is outside a class, or a
            name has a line break.
    """
    if not folder.is_dir():
        raise ValueError(
            f'{str(folder)!r} is not a folder; give the one that contains a '
            'folder for each class'
        )
    videos: Dict[str, List[str]] = {}
    for path in sorted(folder.rglob('*')):
        parts = path.relative_to(folder).parts
        if any(part.startswith('.') for part in parts):
            continue
        if path.is_dir() and len(parts) == 1:
            videos[parts[0]] = []
        if not path.is_file() or path.suffix[1:].lower() not in _ENDINGS:
            continue
        if len(parts) == 1:
            raise ValueError(
                f'{str(path)!r} belongs to no class; move it into a folder of '
                f'{str(folder)!r} with the name of its class'
            )
        if len('/'.join(parts).splitlines()) > 1:
            raise ValueError(
                f'{str(path)!r} has a line break in its name; rename it'
            )
        videos[parts[0]].append('/'.join(parts))
    if not any(videos.values()):
        raise ValueError(
            f'{str(folder)!r} has no videos (*.{", *.".join(_ENDINGS)}) in '
            'folders; it must contain a folder for each class'
        )
    return videos


def divide(
    videos: Dict[str, List[str]], val: float, test: float, seed: int
) -> Dict[str, List[str]]:
    """Shuffles and divides the videos of each class.

    Each class is shuffled separately, so it does not depend on the others.

    Args:
        videos (dict[str, list[str]]): Videos by class.
        val (float): Share of each class to validate on, at least one video.
        test (float): Share of each class to test on, at least one video.
        seed (int): Seed of the shuffle.

    Returns:
        dict[str, list[str]]: Lines of the lists, by split.

    Raises:
        ValueError: If a class has too few videos.
    """
    lines: Dict[str, List[str]] = {split: [] for split in SPLITS}
    for label, (name, own) in enumerate(videos.items()):
        shuffled = random.Random(f'{seed} {name}').sample(own, len(own))
        counts = [max(1, round(share * len(own))) for share in (val, test)]
        counts.insert(0, len(own) - sum(counts))
        if counts[0] < 1:
            raise ValueError(
                f'the class {name!r} has {len(own)} readable videos, but '
                f'needs at least {sum(counts[1:]) + 1} for training, '
                'validation and test; add some, or remove its folder'
            )
        for split, count in zip(SPLITS, counts, strict=True):
            lines[split] += [f'{video} {label}' for video in shuffled[:count]]
            shuffled = shuffled[count:]
    return lines


def run(args: argparse.Namespace) -> None:
    videos = find_videos(args.folder)
    paths = {
        str(args.folder / video): video
        for own in videos.values()
        for video in own
    }
    bad: Dict[str, str] = {}
    with make_progress() as progress:
        task = progress.add_task('decode', total=len(paths))
        for path, fault in find_faults(
            list(paths), args.min_frames, args.workers
        ):
            if fault:
                bad[paths[path]] = fault
            progress.advance(task)
    reasons = [f'{video}: {bad[video]}' for video in sorted(bad)]
    for reason in reasons[:_SHOWN]:
        print(f'warning: left out: {reason}', file=sys.stderr)
    good = {
        name: [video for video in own if video not in bad]
        for name, own in videos.items()
    }
    lists = divide(good, args.val, args.test, args.seed)
    out = args.out or args.folder.resolve().parent
    out.mkdir(parents=True, exist_ok=True)
    for name, lines in {**lists, 'classes': good, 'bad': reasons}.items():
        write_text(out / f'{name}.txt', ''.join(f'{x}\n' for x in lines))
        print(f'{len(lines):>8} {name}: {out / name}.txt')


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
