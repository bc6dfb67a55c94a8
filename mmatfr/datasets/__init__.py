"""Data sets and transforms."""

from .transforms import LimitToWord, ShuffleFrames
from .video_dataset import CheckedVideoDataset, UnreadableVideoError
from .word_dataset import WordVideoDataset

__all__ = [
    'CheckedVideoDataset',
    'LimitToWord',
    'ShuffleFrames',
    'UnreadableVideoError',
    'WordVideoDataset',
]
