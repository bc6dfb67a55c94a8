"""The GRID corpus: clips of a mouth that says six words.

Cooke, Barker, Cunningham, Shao, "An audio-visual corpus for speech perception
and automatic speech recognition", JASA 2006.
"""

import csv
import hashlib
import io
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import cv2
import numpy as np

from mmatfr.atomic_write import write_text

__all__ = [
    'FPS',
    'SPLITS',
    'WORDS',
    'choose_split',
    'read_alignment',
    'read_frames',
    'write_lists',
    'write_words',
]

# A sentence has one of each, in this order.
WORDS = ('command', 'color', 'preposition', 'letter', 'digit', 'adverb')
SPLITS = ('train', 'val', 'test')
# Alignments count in 1/25000 s, videos have 25 frames a second.
_UNITS_PER_FRAME = 1000
FPS = 25
_PAUSES = ('sil', 'sp')


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
            first, after = (x // _UNITS_PER_FRAME for x in span)
            words.append((word, first, after))
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


def write_words(path: Path, rows: Sequence[Dict[str, object]]) -> None:
    """Writes the table of the words of all videos.

    Args:
        path (Path): The table, a CSV file.
        rows (Sequence[dict]): A row per video; all have the same keys.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_lists(out: Path, rows: List[Dict[str, str]]) -> None:
    """Writes the classes and lists of every word.

    Args:
        out (Path): Folder of the lists, ``WORD_SPLIT.txt``, and of
            ``WORD_classes.txt``.
        rows (list[dict]): Rows of words.csv.
    """
    for word in WORDS:
        classes = sorted({row[word] for row in rows})
        write_text(
            out / f'{word}_classes.txt', ''.join(f'{c}\n' for c in classes)
        )
        for split in SPLITS:
            lines = (
                f'{row["video"]} {classes.index(row[word])}\n'
                for row in rows
                if row['split'] == split
            )
            write_text(out / f'{word}_{split}.txt', ''.join(lines))
