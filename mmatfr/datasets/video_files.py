"""Video files that decord can read, written whole or not at all."""

from pathlib import Path
from typing import Union

import cv2
import numpy as np

from mmatfr.atomic_write import atomic_path

__all__ = ['VideoError', 'check_frame_size', 'write_video']

_MIN_SIDE = 16
# decord 0.6.0 treats frames of these widths as four-channel images
# (dmlc/decord#336), so mmaction2 could not read the videos.
_UNREADABLE_WIDTHS = (16, 24, 48, 72)


class VideoError(ValueError):
    """A video that cannot be written, or could not be read afterwards."""


def check_frame_size(height: int, width: int) -> None:
    """Checks that mmaction2 can read videos with frames of a size.

    Args:
        height (int): Height of a frame in pixels.
        width (int): Width of a frame in pixels.

    Raises:
        VideoError: If it cannot.
    """
    for name, value in (('height', height), ('width', width)):
        if value < _MIN_SIDE or value % 2:
            raise VideoError(
                f'{name} {value} is not possible: choose an '
                f'even number of at least {_MIN_SIDE} pixels'
            )
    if width in _UNREADABLE_WIDTHS:
        raise VideoError(
            f'width {width} is not possible, decord cannot read it: '
            'choose an even number of pixels other than '
            f'{", ".join(map(str, _UNREADABLE_WIDTHS))}'
        )


def write_video(
    path: Union[str, Path],
    frames: np.ndarray,
    fps: int = 25,
    codec: str = 'mp4v',
) -> None:
    """Writes a video under a temporary name and renames it.

    Args:
        path (str | Path): Name of the file.
        frames (np.ndarray): Frames (T, H, W, 3), uint8, BGR.
        fps (int): Frames per second. Defaults to 25.
        codec (str): Four-character code of the encoder. Defaults to 'mp4v'.

    Raises:
        VideoError: If the codec, the folder or the disk prevents it.
    """
    size = (frames.shape[2], frames.shape[1])
    with atomic_path(path) as part:
        writer = cv2.VideoWriter(
            str(part), cv2.VideoWriter.fourcc(*codec), fps, size
        )
        if not writer.isOpened():
            raise VideoError(
                f'OpenCV cannot write {path} with the codec {codec!r}: choose '
                "a codec that it supports, such as 'mp4v', and a folder "
                'that can be written to'
            )
        for frame in frames:
            writer.write(frame)
        writer.release()
        # OpenCV does not report a full disk, which leaves a file without the
        # index of its frames.
        written = cv2.VideoCapture(str(part)).get(cv2.CAP_PROP_FRAME_COUNT)
        if written != len(frames):
            raise VideoError(
                f'{path} has {written:.0f} of {len(frames)} frames after it '
                'was written: free space on the disk, or choose another folder'
            )
