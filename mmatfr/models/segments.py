"""Clips of 2D recognizers, which are batches of images."""

from typing import Optional

from mmaction.models.recognizers import Recognizer2D
from torch import nn

__all__ = ['frames_of']


def frames_of(recognizer: nn.Module) -> Optional[int]:
    """Returns the number of images per clip of a 2D recognizer.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2, or another network.

    Returns:
        int | None: ``num_segments`` of the backbone, or 1 without it, because
        each image is then a clip; None for a 3D network, which takes clips.
    """
    if not isinstance(recognizer, Recognizer2D):
        return None
    return getattr(recognizer.backbone, 'num_segments', 1)
