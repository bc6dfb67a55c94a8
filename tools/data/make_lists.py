"""Writes training, validation and test lists for videos sorted by class.

The videos are FOLDER/CLASS/*.mp4 (or in another format, or in subfolders).
Every video is decoded; unreadable ones are reported and left out. The others
are shuffled and divided class by class. The script writes train.txt, val.txt
and test.txt, with `CLASS/video label` in each line, classes.txt, with a class
in each line, and bad.txt, next to FOLDER or to --out.
"""

import argparse
import sys
from pathlib import Path

from mmatfr.arguments import add_decoding, make_parser, refuse_below_one
from mmatfr.atomic_write import write_text
from mmatfr.cli import run_script
from mmatfr.datasets.lists import SPLITS, decode, divide, find_videos

_SHOWN = 5  # number of reported unreadable videos


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
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
    add_decoding(parser)
    args = parser.parse_args()
    refuse_below_one(parser, args, 'min_frames', 'workers')
    if min(args.val, args.test) <= 0 or args.val + args.test >= 1:
        parser.error(
            f'--val {args.val} and --test {args.test} must be greater than 0 '
            'and leave videos for training'
        )
    return args


def run(args: argparse.Namespace) -> None:
    videos = find_videos(args.folder)
    paths = {
        str(args.folder / video): video
        for own in videos.values()
        for video in own
    }
    faults = decode(list(paths), args.min_frames, args.workers)
    bad = {paths[path]: fault for path, fault in faults.items() if fault}
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
