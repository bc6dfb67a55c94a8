"""mmaction2's video data set, with its input checked."""

import logging
import os.path as osp
import re
from typing import List, Optional, Tuple

from mmaction.datasets import VideoDataset
from mmaction.registry import DATASETS
from mmengine.logging import print_log

__all__ = [
    'CheckedVideoDataset',
    'UnreadableVideoError',
    'read_lines',
    'read_list',
    'reason_of',
]

_CHOICES = ('raise', 'skip')


def reason_of(error: Exception) -> str:
    """Puts the error of a decoder into one line.

    Args:
        error (Exception): As decord raised it.

    Returns:
        str: Its first line, without decord's own source files and times.
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r'\[[\d:]{8}\] \S+?:\d+: ', '', lines[0])


def read_lines(ann_file: str) -> List[str]:
    """Reads the lines of an annotation list.

    Args:
        ann_file (str): The list, UTF-8 with or without a byte order mark.

    Returns:
        list[str]: Its lines.

    Raises:
        FileNotFoundError: If the list does not exist.
        ValueError: If it is empty or not UTF-8.
    """
    if not osp.isfile(ann_file):
        raise FileNotFoundError(
            f'the annotation list {ann_file!r} does not exist; '
            'prepare the data set, or set `ann_file` in the config'
        )
    try:
        with open(ann_file, encoding='utf-8-sig') as file:
            lines = [line.rstrip('\n') for line in file]
    except UnicodeDecodeError as error:
        raise ValueError(
            f'the annotation list {ann_file!r} is not UTF-8 '
            f'(byte {error.object[error.start]:#x}); save it as UTF-8'
        ) from error
    if not any(line.strip() for line in lines):
        raise ValueError(
            f'the annotation list {ann_file!r} names no '
            'video; prepare the data set again'
        )
    return lines


def read_list(
    ann_file: str,
    delimiter: str = ' ',
    multi_class: bool = False,
    test_mode: bool = False,
) -> List[Tuple[str, List[int]]]:
    """Reads an annotation list: videos and their labels.

    The whole numbers at the end of a line are its labels, so that the name of
    a video may have spaces.

    Args:
        ann_file (str): The list, ``video label`` in each line.
        delimiter (str): Between the two. Defaults to ' '.
        multi_class (bool): Whether a video may have several labels. Defaults
            to False.
        test_mode (bool): Whether the videos may be without labels: either no
            line has one, or all of them have -1. Defaults to False.

    Returns:
        list[tuple]: Each video, as it is named there, and its labels, none
        where it is not labelled.

    Raises:
        FileNotFoundError: If the list does not exist.
        ValueError: If it is empty or not UTF-8, or a line is not a video and a
            label.
    """
    lines = read_lines(ann_file)
    videos = [_parse_line(line, delimiter) for line in lines]
    labelled = not test_mode or any(labels for _, labels in videos)
    for number, (line, (video, labels)) in enumerate(
        zip(lines, videos, strict=True), start=1
    ):
        count = len(labels)
        if not video or not (
            (count == 1 or (multi_class and count)) if labelled else not count
        ):
            raise ValueError(
                f'{ann_file}:{number}: expected a video and its '
                f'label, separated by {delimiter!r}, but got {line!r}'
            )
    return videos


def _parse_line(line: str, delimiter: str) -> Tuple[str, List[int]]:
    words = line.strip().split(delimiter)
    labels: List[int] = []
    while len(words) > 1 and words[-1].isdecimal():
        labels.insert(0, int(words.pop()))
    if not labels and len(words) > 1 and words[-1] == '-1':
        words.pop()  # as mmaction2 marks a video without a label
    return delimiter.join(words), labels


class UnreadableVideoError(RuntimeError):
    """A video cannot be decoded."""


@DATASETS.register_module()
class CheckedVideoDataset(VideoDataset):
    """``VideoDataset`` with clear errors for bad lists and videos.

    Takes the arguments of :class:`mmaction.datasets.VideoDataset`, and reads
    lists as :func:`read_list` does: names may have spaces, and in test mode
    the videos need no labels. Takes also:

    Args:
        on_unreadable (str): What happens when a video cannot be decoded in
            training: 'raise' stops with its name; 'skip' logs its name and
            takes another video in its place. Testing always stops, for a
            score over the rest would be another figure. Defaults to 'raise'.

    Raises:
        FileNotFoundError: If the annotation list does not exist.
        ValueError: If the list is empty, or one of its lines is not a video
            and a label.
    """

    def __init__(self, *args, on_unreadable: str = 'raise', **kwargs) -> None:
        if on_unreadable not in _CHOICES:
            raise ValueError(
                f'on_unreadable={on_unreadable!r} is unknown; '
                f'choose one of {list(_CHOICES)}'
            )
        self.on_unreadable = on_unreadable
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> List[dict]:
        """Reads the annotation list."""
        folder = self.data_prefix['video'] or ''
        return [
            dict(
                filename=osp.join(folder, video),
                # -1 stands for none, as in mmaction2.
                label=labels if self.multi_class else [*labels, -1][0],
            )
            for video, labels in read_list(
                self.ann_file,
                self.delimiter,
                self.multi_class,
                self.test_mode,
            )
        ]

    def prepare_data(self, idx: int) -> Optional[dict]:
        """Runs the pipeline on a video.

        Raises:
            UnreadableVideoError: If the video cannot be read, with its name.
        """
        try:
            return super().prepare_data(idx)
        except Exception as error:
            filename = self.get_data_info(idx)['filename']
            message = f'cannot read {filename!r}: {reason_of(error)}'
            if self.test_mode or self.on_unreadable == 'raise':
                remedy = (
                    'remove it from the list'
                    if self.test_mode
                    else "remove it from the list, or set on_unreadable='skip'"
                )
                raise UnreadableVideoError(f'{message}; {remedy}') from error
            print_log(
                f'{message}; another video takes its place',
                logger='current',
                level=logging.WARNING,
            )
            return None
