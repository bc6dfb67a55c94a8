"""Clips of 2D recognizers, which are batches of images."""

from typing import Optional

from mmaction.models.recognizers import BaseRecognizer, Recognizer2D

__all__ = ['frames_of']


def frames_of(recognizer: BaseRecognizer) -> Optional[int]:
    """Returns the number of images per clip of a 2D recognizer.

    Args:
        recognizer (BaseRecognizer): A recognizer of mmaction2.

    Returns:
        int | None: ``num_segments`` of the backbone, or 1 without it, because
        each image is then a clip; None for a 3D recognizer, which takes clips.
    """
    if not isinstance(recognizer, Recognizer2D):
        return None
    return getattr(recognizer.backbone, 'num_segments', 1)
