"""Prepares clips of a mouth and lists of words from the GRID corpus.

It reads the videos and alignments of a speaker in the format of the corpus and
crops the mouth. It writes the videos, words.csv with the first and last frame
of every word, and a list for each split and word.
"""

import argparse
import csv
import hashlib
import os
from pathlib import Path
from typing import Dict, List, Tuple

import cv2
import numpy as np

from mmatfr.cli import make_progress, run_script
from mmatfr.datasets.tempo import write_video

# A sentence has one of each, in this order.
WORDS = ('command', 'color', 'preposition', 'letter', 'digit', 'adverb')
SPLITS = ('train', 'val', 'test')
# Alignments count in 1/25000 s, videos have 25 frames a second.
_UNITS_PER_FRAME = 1000
_FPS = 25
_PAUSES = ('sil', 'sp')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('videos', help='folder of the videos, NAME.mpg')
    parser.add_argument('alignments', help='folder of NAME.align')
    parser.add_argument(
        '--out', default='data/grid', help='default: %(default)s'
    )
    parser.add_argument(
        '--crop',
        type=int,
        nargs=4,
        metavar=('TOP', 'BOTTOM', 'LEFT', 'RIGHT'),
        default=[180, 250, 80, 220],
        help='rows and columns to keep, excluding the last '
        '(default: the mouth of speaker 1)',
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        default=[64, 128],
        help='size after resizing (default: 64 128)',
    )
    return parser.parse_args()


def read_alignment(path: Path) -> List[Tuple[str, int, int]]:
    """Reads the times of the words of a sentence.

    Args:
        path (Path): File with lines of ``start end word``, in 1/25000 s.

    Returns:
        list[tuple]: Each of the six words with its first frame and the frame
        after its last.

    Raises:
        ValueError: If the file is not an alignment of six words.
    """
    words = []
    for line in path.read_text(encoding='utf-8').splitlines():
        try:
            start, end, word = line.split()
            span = int(start), int(end)
        except ValueError as error:
            raise ValueError(
                f'{str(path)!r} has the line {line!r}, which is not '
                '`start end word`; use the alignments of the corpus'
            ) from error
        if word not in _PAUSES:
            words.append((word, *(x // _UNITS_PER_FRAME for x in span)))
    if len(words) != len(WORDS):
        raise ValueError(
            f'{str(path)!r} has {len(words)} words instead of {len(WORDS)}; '
            'use the alignments of the corpus'
        )
    return words


def choose_split(name: str) -> str:
    """Assigns sentences with the same first four words to the same split.

    Args:
        name (str): Name of the video; its letters stand for the words.

    Returns:
        str: One of ``SPLITS``, about 70, 10 and 20 % of the sentences.
    """
    digest = hashlib.sha256(name[:4].encode()).digest()
    share = int.from_bytes(digest[:4], 'big') / 2**32
    return SPLITS[(share >= 0.7) + (share >= 0.8)]


def read_frames(
    path: Path, crop: Tuple[int, int, int, int], size: Tuple[int, int]
) -> np.ndarray:
    """Reads the cropped frames of a video.

    Args:
        path (Path): The video.
        crop (tuple[int]): First and last row, first and last column.
        size (tuple[int]): Height and width after resizing.

    Returns:
        np.ndarray: (T, height, width, 3), uint8, BGR.

    Raises:
        ValueError: If the video cannot be read, or is smaller than the crop.
    """
    top, bottom, left, right = crop
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        there, frame = capture.read()
        if not there:
            break
        height, width = frame.shape[:2]
        if not (0 <= top < bottom <= height and 0 <= left < right <= width):
            raise ValueError(
                f'{str(path)!r} has {height} rows and {width} columns, which '
                f'do not contain --crop {top} {bottom} {left} {right}'
            )
        frame = frame[top:bottom, left:right]
        frames.append(
            cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA)
        )
    capture.release()
    if not frames:
        raise ValueError(
            f'{str(path)!r} cannot be read; download it again, or remove it'
        )
    return np.stack(frames)


def replace_text(path: Path, text: str) -> None:
    """Writes a file under a temporary name and moves it into place."""
    part = path.with_name(f'{path.name}.part')
    part.write_text(text, encoding='utf-8')
    os.replace(part, path)


def write_lists(out: Path, rows: List[Dict[str, str]]) -> None:
    """Writes the classes and lists of every word.

    Args:
        out (Path): Folder of the lists, ``WORD_SPLIT.txt``, and of
            ``WORD_classes.txt``.
        rows (list[dict]): Rows of words.csv.
    """
    for word in WORDS:
        classes = sorted({row[word] for row in rows})
        replace_text(
            out / f'{word}_classes.txt', ''.join(f'{c}\n' for c in classes)
        )
        for split in SPLITS:
            lines = (
                f'{row["video"]} {classes.index(row[word])}\n'
                for row in rows
                if row['split'] == split
            )
            replace_text(out / f'{word}_{split}.txt', ''.join(lines))


def run(args: argparse.Namespace) -> None:
    out, alignments = Path(args.out), Path(args.alignments)
    videos = sorted(Path(args.videos).glob('*.mpg'))
    if not videos:
        raise FileNotFoundError(
            f'{args.videos!r} has no videos NAME.mpg; give the folder of a '
            'speaker'
        )
    sentences = {
        video: read_alignment(alignments / f'{video.stem}.align')
        for video in videos
        if (alignments / f'{video.stem}.align').is_file()
    }
    if not sentences:
        raise FileNotFoundError(
            f'{args.alignments!r} has no alignment NAME.align for the '
            f'{len(videos)} videos in {args.videos!r}'
        )
    (out / 'videos').mkdir(parents=True, exist_ok=True)
    rows = []
    with make_progress() as progress:
        for video, sentence in progress.track(
            sentences.items(), description='videos'
        ):
            path = out / 'videos' / f'{video.stem}.mp4'
            frames = read_frames(video, tuple(args.crop), tuple(args.size))
            write_video(path, frames, _FPS)
            row = dict(
                video=path.name,
                split=choose_split(video.stem),
                frames=len(frames),
            )
            for kind, (word, start, end) in zip(WORDS, sentence, strict=True):
                row.update(
                    {kind: word, f'{kind}_start': start, f'{kind}_end': end}
                )
            rows.append(row)
    part = out / 'words.csv.part'
    with open(part, 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
    os.replace(part, out / 'words.csv')
    write_lists(out, rows)
    print(
        f'{len(rows)} videos, {len(videos) - len(rows)} have no alignment: '
        f'{out}'
    )


if __name__ == '__main__':
    run_script(lambda: run(parse_args()))
