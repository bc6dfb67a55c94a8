"""Reads and writes frames of packed tensors, keeping the memory format."""

from typing import Tuple

import torch
from torch import Tensor

__all__ = [
    'frame_axis',
    'put_frames',
    'repack',
    'take_clips',
    'take_frames',
    'unpack',
]


def frame_axis(x: Tensor) -> int:
    """Returns the axis of the frames: 2 in (1, C, F, H, W), 0 in (F, C, H,
    W)."""
    return 2 if x.dim() == 5 else 0


def unpack(x: Tensor) -> Tuple[Tensor, int]:
    """Views a packed tensor in the order of its memory.

    Args:
        x (Tensor): Packed, (1, C, F, H, W).

    Returns:
        tuple: The view, (F, H, W, C) for channels-last maps and (1, C, F, H,
        W) otherwise, and the axis of the frames.
    """
    if x.is_contiguous(memory_format=torch.channels_last_3d):
        return x[0].permute(1, 2, 3, 0), 0
    return x, 2


def repack(maps: Tensor, axis: int) -> Tensor:
    """Undoes :func:`unpack`."""
    # Strides of one clip with all frames; otherwise torch does not recognize
    # the maps as channels last.
    return maps[None].permute(0, 4, 1, 2, 3) if axis == 0 else maps


def take_frames(x: Tensor, index: Tensor) -> Tensor:
    """Takes frames of a packed tensor.

    Args:
        x (Tensor): Packed, (1, C, F, H, W).
        index (Tensor): Indices of the frames, (F',), int64.

    Returns:
        Tensor: (1, C, F', H, W).
    """
    maps, axis = unpack(x)
    return repack(maps.index_select(axis, index), axis)


def take_clips(x: Tensor, index: Tensor) -> Tensor:
    """Takes clips of equal length out of a packed tensor.

    Args:
        x (Tensor): Packed, (1, C, F, H, W) or (F, C, H, W).
        index (Tensor): Index in x of each frame of N clips, (N, T), int64.

    Returns:
        Tensor: (N, C, T, H, W), or (N * T, C, H, W) for the second shape.
    """
    if frame_axis(x) == 0:
        return x.index_select(0, index.flatten())
    maps = take_frames(x, index.flatten())[0]
    return maps.unflatten(1, index.shape).transpose(0, 1)


def put_frames(
    x: Tensor, index: Tensor, num_frames: int, fill: float = 0.0
) -> Tensor:
    """Puts the frames of a packed tensor into a longer one.

    Args:
        x (Tensor): Packed, (1, C, F, H, W).
        index (Tensor): Indices of the frames in the result, (F,), int64.
        num_frames (int): Number of frames F' of the result.
        fill (float): Value of all other frames. Defaults to 0.

    Returns:
        Tensor: (1, C, F', H, W).
    """
    maps, axis = unpack(x)
    shape = list(maps.shape)
    shape[axis] = num_frames
    put = maps.new_full(shape, fill).index_copy_(axis, index, maps)
    return repack(put, axis)
