"""Data sets and transforms."""

from .transforms import ShuffleFrames
from .video_dataset import CheckedVideoDataset, UnreadableVideoError

__all__ = ['CheckedVideoDataset', 'ShuffleFrames', 'UnreadableVideoError']
