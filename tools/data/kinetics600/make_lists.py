"""Writes lists of Kinetics-600 from the annotations and existing videos.

Labels number the classes in alphabetical order. Annotated videos that do not
exist are counted and left out.
"""

import argparse
import csv
from pathlib import Path
from typing import Dict, List, Tuple

from mmatfr.arguments import make_parser
from mmatfr.atomic_write import write_text
from mmatfr.cli import run_script

SPLITS = ('train', 'val')


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument(
        '--data',
        default='data/kinetics600',
        help='folder of annotations/kinetics_{train,val}.csv, of the videos, '
        'videos_{train,val}/CLASS/ID_START_END.mp4, and of the lists '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--num-classes',
        type=int,
        default=600,
        help='required number of classes (default: %(default)s)',
    )
    return parser.parse_args()


def read_annotations(path: Path) -> List[Tuple[str, str]]:
    """Reads an annotation file.

    Args:
        path (Path): CSV with ``label``, ``youtube_id``, ``time_start`` and
            ``time_end``.

    Returns:
        list[tuple]: Class and name, without extension, of each video.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'{str(path)!r} does not exist; get it as described on the page '
            'of the data set'
        )
    videos = []
    with open(path, newline='', encoding='utf-8') as file:
        for row in csv.DictReader(file):
            try:
                begin, end = int(row['time_start']), int(row['time_end'])
                name = f'{row["youtube_id"]}_{begin:06d}_{end:06d}'
                # The spelling and labels of mmaction2.
                label = row['label'].strip().strip('"').replace(' ', '_')
                videos.append((label, name))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f'{str(path)!r} has a row without label, youtube_id, '
                    f'time_start and time_end: {row}'
                ) from error
    return videos


def find_videos(folder: Path) -> Dict[str, str]:
    """Finds the videos of a split.

    Args:
        folder (Path): Folder of the videos, with or without folders by class.

    Returns:
        dict[str, str]: Path relative to the folder, by name.
    """
    return {
        path.stem: path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob('*'))
        if path.suffix in ('.mp4', '.mkv', '.webm', '.avi')
    }


def run(args: argparse.Namespace) -> None:
    data = Path(args.data)
    annotated = {
        split: read_annotations(data / f'annotations/kinetics_{split}.csv')
        for split in SPLITS
    }
    names = sorted({name for rows in annotated.values() for name, _ in rows})
    if len(names) != args.num_classes:
        raise ValueError(
            f'the annotations in {args.data!r} have {len(names)} classes '
            f'instead of {args.num_classes}; use those of Kinetics-600, or '
            'set --num-classes'
        )
    labels = {name: label for label, name in enumerate(names)}
    lists = {}
    for split, rows in annotated.items():
        folder = data / f'videos_{split}'
        videos = find_videos(folder)
        lists[split] = [
            f'{videos[video]} {labels[name]}'
            for name, video in rows
            if video in videos
        ]
        if not lists[split]:
            raise ValueError(
                f'none of the {len(rows)} annotated videos is in '
                f'{str(folder)!r}; names have to be ID_START_END.mp4'
            )
        if any(' ' in line.rsplit(' ', 1)[0] for line in lists[split]):
            raise ValueError(
                f'folders in {str(folder)!r} have spaces in their names, '
                'which lists do not allow; rename them, e.g. with '
                "mmaction2's rename_classnames.sh"
            )
    write_text(data / 'classes.txt', ''.join(f'{n}\n' for n in names))
    for split, lines in lists.items():
        path = data / f'kinetics600_{split}_list_videos.txt'
        write_text(path, ''.join(f'{line}\n' for line in lines))
        missing = len(annotated[split]) - len(lines)
        print(f'{len(lines):>8} videos, {missing} are missing: {path}')


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
