"""Writes the lists of mini-Kinetics from those of Kinetics-400.

Mini-Kinetics has 200 of the 400 classes (arXiv:1712.04851). Labels number its
classes in alphabetical order.
"""

import argparse
from pathlib import Path, PurePosixPath
from typing import Dict, List, Optional, Set

from mmatfr.arguments import make_parser
from mmatfr.atomic_write import write_text
from mmatfr.cli import run_script
from mmatfr.datasets.video_dataset import read_list

SPLITS = ('train', 'val')


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('classes', help='names of the classes, one per line')
    parser.add_argument(
        '--ids',
        nargs='*',
        default=[],
        help='lists of YouTube ids, one per line: selects only these videos '
        '(default: all videos of the classes)',
    )
    parser.add_argument(
        '--kinetics400',
        default='data/kinetics400',
        help='folder of kinetics400_{train,val}_list_videos.txt '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--out',
        default='data/minikinetics',
        help='folder of the lists (default: %(default)s)',
    )
    parser.add_argument(
        '--num-classes',
        type=int,
        default=200,
        help='required number of classes (default: %(default)s)',
    )
    return parser.parse_args()


def _plain(name: str) -> str:
    """Returns a uniform spelling of a class name."""
    return name.strip().strip('"').replace(' ', '_').casefold()


def _read_lines(path: str) -> List[str]:
    try:
        lines = Path(path).read_text(encoding='utf-8').splitlines()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{path!r} does not exist; get it as described on the page of the '
            'data set'
        ) from error
    return [line.strip() for line in lines if line.strip()]


def read_classes(path: str, num_classes: int) -> Dict[str, int]:
    """Reads the names of the classes.

    Args:
        path (str): The list.
        num_classes (int): Required number of classes.

    Returns:
        dict[str, int]: The label of each class.
    """
    names = sorted({_plain(line) for line in _read_lines(path)})
    if len(names) != num_classes:
        raise ValueError(
            f'{path!r} has {len(names)} classes instead of {num_classes}; '
            'correct it, or set --num-classes'
        )
    return {name: label for label, name in enumerate(names)}


def select(
    source: str, labels: Dict[str, int], ids: Optional[Set[str]]
) -> List[str]:
    """Selects the videos of given classes from a list.

    Args:
        source (str): List of Kinetics-400, ``class/id_start_end.mp4 label``.
        labels (dict[str, int]): The label of each class.
        ids (set[str], optional): YouTube ids to select; None selects all.

    Returns:
        list[str]: Lines with their new labels.
    """
    lines, seen = [], set()
    for video, _ in read_list(source):
        path = PurePosixPath(video)
        name = _plain(path.parent.name)
        if name in labels:
            seen.add(name)
            if ids is None or path.name[:11] in ids:
                lines.append(f'{video} {labels[name]}')
    missing = sorted(set(labels) - seen)
    if missing:
        raise ValueError(
            f'{source!r} has no videos of {len(missing)} classes, '
            f'{missing[0]!r} the first; the folder of a video has to have '
            'the name of its class'
        )
    if not lines:
        raise ValueError(
            f'{source!r} has none of the ids; check the files of --ids'
        )
    return lines


def run(args: argparse.Namespace) -> None:
    labels = read_classes(args.classes, args.num_classes)
    ids = {line[:11] for path in args.ids for line in _read_lines(path)}
    lists = {
        split: select(
            f'{args.kinetics400}/kinetics400_{split}_list_videos.txt',
            labels,
            ids or None,
        )
        for split in SPLITS
    }
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / 'classes.txt', ''.join(f'{n}\n' for n in labels))
    for split, lines in lists.items():
        path = out / f'minikinetics_{split}_list_videos.txt'
        write_text(path, ''.join(f'{line}\n' for line in lines))
        print(f'{len(lines):>8} videos: {path}')


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
