"""The clips of 2D recognizers, which come as single images."""

from typing import Optional

from mmaction.models.recognizers import Recognizer2D
from torch import nn

__all__ = ['frames_of']


def frames_of(recognizer: nn.Module) -> Optional[int]:
    """Number of images that a 2D recognizer takes for a clip.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2.

    Returns:
        int | None: ``num_segments`` of its backbone, 1 where it has none, as
        each image is a clip then; None for a 3D recognizer, which is handed
        clips.
    """
    if not isinstance(recognizer, Recognizer2D):
        return None
    return getattr(recognizer.backbone, 'num_segments', 1)
