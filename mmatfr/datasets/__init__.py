"""Data sets and transforms."""

from .decode_once import DecodeOnce, decode_every_time, decode_once
from .transforms import LimitToWord, ShuffleFrames
from .video_dataset import CheckedVideoDataset, UnreadableVideoError
from .word_dataset import WordVideoDataset

__all__ = [
    'CheckedVideoDataset',
    'DecodeOnce',
    'LimitToWord',
    'ShuffleFrames',
    'UnreadableVideoError',
    'WordVideoDataset',
    'decode_every_time',
    'decode_once',
]
