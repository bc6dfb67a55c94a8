"""Kernels that merge frames on a GPU, written in Triton.

They read every map once and write every merged map once, and add the frames
of a group in the order of time. Maps that are not contiguous are copied first.
A frame is a number of rows of neighbouring pixels: one row for each channel,
or one row of all pixels and channels if the maps are channels-last.
"""

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ['merge', 'spread']

# Most values per program, and its largest width.
_TILE = 4096
_WIDTH = 1024


class _Rows(NamedTuple):
    """Maps as rows in memory.

    Attributes:
        maps (Tensor): The maps, contiguous in their memory format.
        num_rows (int): Number of rows of a frame.
        width (int): Number of values in a row.
        clip (int): Step in memory from a clip to the next.
        row (int): Step from a row of a frame to the next; that from a frame
            to the next is ``width``.
    """

    maps: Tensor
    num_rows: int
    width: int
    clip: int
    row: int


def _as_rows(x: Tensor, channels_last: bool) -> _Rows:
    """Describes maps, (N, C, T, H, W), as rows."""
    _, channels, frames, height, width = x.shape
    size = channels * frames * height * width
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last_3d)
        return _Rows(x, 1, height * width * channels, size, 0)
    return _Rows(
        x.contiguous(),
        channels,
        height * width,
        size,
        frames * height * width,
    )


def _run(
    kernel,
    x: _Rows,
    merged: _Rows,
    weight: Tensor,
    index: Tensor,
    **constants: int,
) -> None:
    """Starts a kernel with one program for each frame and tile of its rows."""
    num_clips, num_frames = index.shape
    width = min(_WIDTH, triton.next_power_of_2(x.width))
    rows = min(_TILE // width, triton.next_power_of_2(x.num_rows))
    grid = (
        num_clips * num_frames,
        triton.cdiv(x.width, width),
        triton.cdiv(x.num_rows, rows),
    )
    with torch.cuda.device_of(x.maps):
        kernel[grid](
            x.maps,
            merged.maps,
            weight.contiguous(),
            index.contiguous(),
            num_frames,
            x.num_rows,
            x.width,
            x.clip,
            x.row,
            merged.row,
            tile_rows=rows,
            tile_width=width,
            **constants,
        )


def merge(merged: Tensor, x: Tensor, weight: Tensor, index: Tensor) -> None:
    """Writes the weighted sum of the maps of each group.

    Args:
        merged (Tensor): Receives the sums, (1, C, F, H, W), channels-last if x
            is and contiguous otherwise.
        x (Tensor): Feature maps, (N, C, T, H, W).
        weight (Tensor): Weight of each frame, (N, T), of the dtype of the
            sums.
        index (Tensor): Number of the group of each frame, (N, T), int64.
    """
    channels_last = x.is_contiguous(memory_format=torch.channels_last_3d)
    _run(
        _merge,
        _as_rows(x, channels_last),
        _as_rows(merged, channels_last),
        weight,
        index,
        frame_limit=triton.next_power_of_2(index.shape[1]),
    )


def spread(
    grad_merged: Tensor, x: Tensor, weight: Tensor, index: Tensor
) -> Tensor:
    """Computes the gradient to the maps, the reverse of :func:`merge`.

    Args:
        grad_merged (Tensor): Gradient to the sums, (1, C, F, H, W).
        x (Tensor): The maps, (N, C, T, H, W).
        weight (Tensor): Weight of each frame, (N, T).
        index (Tensor): Number of the group of each frame, (N, T), int64.

    Returns:
        Tensor: (N, C, T, H, W), channels-last if x is and contiguous
        otherwise.
    """
    channels_last = x.is_contiguous(memory_format=torch.channels_last_3d)
    grad_x = torch.empty_like(
        x,
        memory_format=(
            torch.channels_last_3d
            if channels_last
            else torch.contiguous_format
        ),
    )
    _run(
        _spread,
        _as_rows(grad_x, channels_last),
        _as_rows(grad_merged, channels_last),
        weight,
        index,
    )
    return grad_x


@triton.jit
def _tile(num_rows, width, tile_rows: tl.constexpr, tile_width: tl.constexpr):
    """Rows and columns of the tile of a program, and which exist."""
    row = (tl.program_id(2) * tile_rows + tl.arange(0, tile_rows))[:, None]
    column = (tl.program_id(1) * tile_width + tl.arange(0, tile_width))[
        None, :
    ]
    inside = (row < num_rows) & (column < width)
    # A batch can have more values than 32 bits can count.
    return row.to(tl.int64), column, inside


@triton.jit
def _merge(
    x,
    merged,
    weight,
    index,
    num_frames,
    num_rows,
    width,
    x_clip,
    x_row,
    merged_row,
    tile_rows: tl.constexpr,
    tile_width: tl.constexpr,
    frame_limit: tl.constexpr,
):
    """The program of the first frame of a group writes the group."""
    frame = tl.program_id(0)
    clip = frame // num_frames
    time = frame % num_frames
    own = tl.load(index + frame).to(tl.int64)
    times = tl.arange(0, frame_limit)
    groups = tl.load(
        index + clip * num_frames + times, mask=times < num_frames, other=-1
    )
    first = tl.min(tl.where(groups == own, times, frame_limit), axis=0)
    if first == time:
        row, column, inside = _tile(num_rows, width, tile_rows, tile_width)
        values = x + clip.to(tl.int64) * x_clip + row * x_row + column
        total = tl.zeros(
            (tile_rows, tile_width), dtype=weight.dtype.element_ty
        )
        for other in range(frame_limit):
            group = tl.load(
                index + clip * num_frames + other,
                mask=other < num_frames,
                other=-1,
            )
            if group == own:
                share = tl.load(weight + clip * num_frames + other)
                value = tl.load(values, mask=inside, other=0.0)
                total += share * value.to(weight.dtype.element_ty)
            values += width
        tl.store(
            merged + row * merged_row + own * width + column,
            total.to(merged.dtype.element_ty),
            mask=inside,
        )


@triton.jit
def _spread(
    grad_x,
    grad_merged,
    weight,
    index,
    num_frames,
    num_rows,
    width,
    x_clip,
    x_row,
    merged_row,
    tile_rows: tl.constexpr,
    tile_width: tl.constexpr,
):
    """The program of a frame takes the weighted gradient of its group."""
    frame = tl.program_id(0)
    clip = (frame // num_frames).to(tl.int64)
    time = (frame % num_frames).to(tl.int64)
    own = tl.load(index + frame).to(tl.int64)
    share = tl.load(weight + frame)
    row, column, inside = _tile(num_rows, width, tile_rows, tile_width)
    values = tl.load(
        grad_merged + row * merged_row + own * width + column,
        mask=inside,
        other=0.0,
    )
    values = share * values.to(weight.dtype.element_ty)
    tl.store(
        grad_x + clip * x_clip + row * x_row + time * width + column,
        values.to(grad_x.dtype.element_ty),
        mask=inside,
    )
