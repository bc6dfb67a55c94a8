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


def read_list(
    ann_file: str, delimiter: str = ' ', multi_class: bool = False
) -> List[Tuple[str, List[int]]]:
    """Reads an annotation list: videos and their labels.

    Args:
        ann_file (str): The list, ``video label`` in each line.
        delimiter (str): Between the two. Defaults to ' '.
        multi_class (bool): Whether a video may have several labels. Defaults
            to False.

    Returns:
        list[tuple]: Each video, as it is named there, and its labels.

    Raises:
        FileNotFoundError: If the list does not exist.
        ValueError: If it is empty, or a line is not a video and a label.
    """
    if not osp.isfile(ann_file):
        raise FileNotFoundError(
            f'the annotation list {ann_file!r} does not exist; '
            'prepare the data set, or set `ann_file` in the config'
        )
    with open(ann_file) as file:
        lines = file.read().splitlines()
    if not any(line.strip() for line in lines):
        raise ValueError(
            f'the annotation list {ann_file!r} names no '
            'video; prepare the data set again'
        )
    videos = []
    for number, line in enumerate(lines, start=1):
        video, *labels = line.strip().split(delimiter)
        if not (len(labels) == 1 or labels and multi_class) or not all(
            label.isdecimal() for label in labels
        ):
            raise ValueError(
                f'{ann_file}:{number}: expected a video and its '
                f'label, separated by {delimiter!r}, but got '
                f'{line!r}'
            )
        videos.append((video, [int(label) for label in labels]))
    return videos


class UnreadableVideoError(RuntimeError):
    """A video cannot be decoded."""


@DATASETS.register_module()
class CheckedVideoDataset(VideoDataset):
    """``VideoDataset`` that says what is wrong with a list or a video.

    Takes the arguments of :class:`mmaction.datasets.VideoDataset`, and:

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
        read_list(self.ann_file, self.delimiter, self.multi_class)
        return super().load_data_list()

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
