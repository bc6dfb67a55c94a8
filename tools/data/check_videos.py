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
from typing import Dict, List, Sequence, Tuple

from mmatfr.atomic_write import write_text
from mmatfr.cli import make_progress, run_script
from mmatfr.datasets.decoding import find_faults
from mmatfr.datasets.video_dataset import read_lines, read_list

_SHOWN = 10  # number of reported videos with different labels


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('list', help='`video label` in each line')
    parser.add_argument('videos', help='folder of the videos')
    parser.add_argument(
        '--delimiter',
        default=' ',
        help='separator of video and label (default: a space)',
    )
    parser.add_argument(
        '--min-frames',
        type=int,
        default=1,
        help='minimum number of frames of a good video (default: %(default)s)',
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
    return args


def find_conflicts(
    paths: Sequence[str], labels: Sequence[Tuple[int, ...]]
) -> List[str]:
    """Finds videos with different labels in a list.

    Args:
        paths (Sequence[str]): The video of each line.
        labels (Sequence[tuple[int]]): The labels of each line.

    Returns:
        list[str]: The videos, with their labels and lines.
    """
    lines: Dict[str, Dict[Tuple[int, ...], int]] = {}
    for number, (path, given) in enumerate(
        zip(paths, labels, strict=True), start=1
    ):
        lines.setdefault(path, {}).setdefault(given, number)
    return [
        f'{path!r} has '
        + ', '.join(
            f'label {" ".join(map(str, given)) or "none"} in line {number}'
            for given, number in found.items()
        )
        for path, found in lines.items()
        if len(found) > 1
    ]


def run(args: argparse.Namespace) -> None:
    videos = read_list(
        args.list, args.delimiter, multi_class=True, test_mode=True
    )
    lines = read_lines(args.list)
    paths = [os.path.join(args.videos, video) for video, _ in videos]
    labels = [tuple(labels) for _, labels in videos]
    faults = {}
    with make_progress() as progress:
        unique = list(dict.fromkeys(paths))
        task = progress.add_task('decode', total=len(unique))
        for path, fault in find_faults(unique, args.min_frames, args.workers):
            faults[path] = fault
            progress.advance(task)
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
