"""mmaction2's video data set, with checks of its input."""

import logging
import os.path as osp
import re
from typing import List, Optional, Tuple

from mmaction.datasets import VideoDataset
from mmaction.registry import DATASETS
from mmengine.logging import print_log

from mmatfr.atomic_write import WriteError

__all__ = [
    'CheckedVideoDataset',
    'UnreadableVideoError',
    'read_lines',
    'read_list',
    'reason_of',
]

_CHOICES = ('raise', 'skip')


def reason_of(error: Exception) -> str:
    """Formats the error of a decoder in one line.

    Args:
        error (Exception): An error raised by decord.

    Returns:
        str: The first line, without source files and times of decord.
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
            f'the annotation list {ann_file!r} has no videos; prepare the '
            'data set again'
        )
    return lines


def read_list(
    ann_file: str,
    delimiter: str = ' ',
    multi_class: bool = False,
    test_mode: bool = False,
) -> List[Tuple[str, List[int]]]:
    """Reads an annotation list: videos and their labels.

    The integers at the end of a line are its labels, so the name of a video
    may have spaces.

    Args:
        ann_file (str): The list, ``video label`` in each line.
        delimiter (str): Separator of the two. Defaults to ' '.
        multi_class (bool): Whether a video may have several labels. Defaults
            to False.
        test_mode (bool): Whether labels may be missing: either no line has
            one, or all have -1. Defaults to False.

    Returns:
        list[tuple]: The name of each video and its labels, an empty list
        without labels.

    Raises:
        FileNotFoundError: If the list does not exist.
        ValueError: If the list is empty or not UTF-8, or a line is not a video
            and a label.
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
    while len(words) > 1:
        word = words[-1].strip()
        if word.isdecimal():
            labels.insert(0, int(word))
        elif word:  # an empty one lies between two delimiters
            break
        words.pop()
    if not labels and len(words) > 1 and words[-1].strip() == '-1':
        words.pop()  # mmaction2's mark of a video without a label
    return delimiter.join(words).rstrip(), labels


class UnreadableVideoError(RuntimeError):
    """A video cannot be decoded."""


@DATASETS.register_module()
class CheckedVideoDataset(VideoDataset):
    """``VideoDataset`` with clear errors for bad lists and videos.

    It takes the arguments of :class:`mmaction.datasets.VideoDataset` and reads
    lists with :func:`read_list`: names may have spaces, and in test mode
    labels are optional.

    Args:
        on_unreadable (str): Reaction to a video that cannot be decoded in
            training: 'raise' raises an error with its name; 'skip' logs its
            name and uses another video instead. Testing always raises an
            error, because results on the remaining videos are not comparable.
            Defaults to 'raise'.

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
                # -1 means no label, as in mmaction2.
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
            UnreadableVideoError: If the video cannot be read; names it.
            WriteError: If a step of the pipeline cannot write a file.
        """
        try:
            return super().prepare_data(idx)
        except WriteError:  # not a fault of the video
            raise
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
                f'{message}; another video is used instead',
                logger='current',
                level=logging.WARNING,
            )
            return None
