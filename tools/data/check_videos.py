"""Decodes every video of a list, in parallel, to find unreadable ones.

It writes two files next to the list: LIST_good.txt with the unchanged lines of
readable videos, for `ann_file`, and LIST_bad.txt with an unreadable video and
its fault in each line. Repeated lines are kept; videos with different labels
are reported. The exit code is 1 if no video is readable.
"""

import argparse
import os
import sys
from pathlib import Path

from mmatfr.arguments import add_decoding, make_parser, refuse_below_one
from mmatfr.atomic_write import write_text
from mmatfr.cli import run_script
from mmatfr.datasets.lists import decode, find_conflicts
from mmatfr.datasets.video_dataset import read_lines, read_list

_SHOWN = 10  # number of reported videos with different labels


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('list', help='`video label` in each line')
    parser.add_argument('videos', help='folder of the videos')
    parser.add_argument(
        '--delimiter',
        default=' ',
        help='separator of video and label (default: a space)',
    )
    add_decoding(parser)
    args = parser.parse_args()
    refuse_below_one(parser, args, 'min_frames', 'workers')
    return args


def run(args: argparse.Namespace) -> None:
    videos = read_list(
        args.list, args.delimiter, multi_class=True, test_mode=True
    )
    lines = read_lines(args.list)
    paths = [os.path.join(args.videos, video) for video, _ in videos]
    labels = [tuple(labels) for _, labels in videos]
    unique = list(dict.fromkeys(paths))
    faults = decode(unique, args.min_frames, args.workers)
    good = [
        line
        for path, line in zip(paths, lines, strict=True)
        if faults[path] is None
    ]
    bad = [f'{path}: {faults[path]}' for path in unique if faults[path]]
    source = Path(args.list)
    for name, content in (('good', good), ('bad', bad)):
        out = source.with_name(f'{source.stem}_{name}.txt')
        write_text(out, ''.join(f'{line}\n' for line in content))
        print(f'{len(content):>8} {name}: {out}')
    if len(paths) > len(unique):
        conflicts = find_conflicts(paths, labels)
        print(
            f'{len(paths) - len(unique):>8} lines repeat a video, '
            f'{len(conflicts)} videos have different labels'
        )
        for conflict in conflicts[:_SHOWN]:
            print(f'warning: {conflict}', file=sys.stderr)
    if not good:
        sys.exit(
            f'error: no video of {args.list!r} is readable, the first: '
            f'{bad[0]}; are the videos in {args.videos!r}?'
        )


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
