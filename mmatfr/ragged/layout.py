"""Layout of clips of unequal length in one tensor.

A *packed* tensor holds all frames of a batch along its time axis, (1, C, F, H,
W), clip after clip, without padding; the :class:`Layout` holds the start of
each clip. Modules that treat frames independently run unchanged on a packed
tensor. For modules that mix frames, :meth:`Layout.slide` places the clips on
one timeline, with just enough fill between them that no window reaches two
clips.

In networks of 2D modules the frames of a batch are along the first axis
instead, (F, C, H, W).
"""

from functools import cached_property
from itertools import pairwise
from typing import (
    Any,
    Dict,
    List,
    NamedTuple,
    Sequence,
    Tuple,
)

import numpy as np
import torch
from torch import Tensor

from .frames import frame_axis, put_frames, take_frames, unpack

__all__ = ['Layout', 'Window', 'pack']


class Window(NamedTuple):
    """The temporal parameters of a convolution or pool.

    Attributes:
        kernel (int): Number of taps.
        stride (int): Step between outputs, in frames.
        padding (int): Fill before the first and after the last frame.
        dilation (int): Step between taps, in frames.
        ceil_mode (bool): Whether a last window that extends beyond the padding
            counts.
        shrink (bool): Whether a clip that is too short for one window still
            gives one output.
    """

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    ceil_mode: bool = False
    shrink: bool = False

    @property
    def per_frame(self) -> bool:
        """bool: Whether each output reads only the frame at its position."""
        return self.kernel == 1 and self.stride == 1 and self.padding == 0

    @property
    def reach(self) -> int:
        """int: Number of frames from the first to the last tap."""
        return self.dilation * (self.kernel - 1) + 1

    def output_length(self, length: int) -> int:
        """Number of outputs for a clip of ``length`` frames, as in torch.

        Raises:
            ValueError: If the clip is too short for one output.
        """
        room = length + 2 * self.padding - self.reach
        steps = (
            -(-room // self.stride) if self.ceil_mode else room // self.stride
        )
        if self.ceil_mode and steps * self.stride >= length + self.padding:
            steps -= 1  # a window starts inside the clip or its left padding
        if steps < 0 and self.shrink:
            return 1
        if steps < 0:
            raise ValueError(
                f'a clip of {length} frames is too short for a temporal '
                f'window of {self.reach} frames with padding {self.padding}'
            )
        return steps + 1


class Layout:
    """Positions of the clips in a packed tensor.

    Args:
        lengths (Sequence[int]): Number of frames of each clip, N positive
            integers.

    Examples:
        >>> import torch
        >>> layout = Layout([3, 1])
        >>> layout.mean(torch.tensor([1., 2., 3., 4.]).view(1, 1, 4, 1, 1))
        tensor([[[[[2.]]]],
        <BLANKLINE>
        <BLANKLINE>
        <BLANKLINE>
                [[[[4.]]]]])
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths: Tuple[int, ...] = tuple(int(n) for n in lengths)
        if not self.lengths or min(self.lengths) < 1:
            raise ValueError(
                'lengths must be one or more positive integers, '
                f'but got {list(self.lengths)}'
            )
        self._made: Dict[tuple, Any] = {}

    def __repr__(self) -> str:
        return f'Layout({list(self.lengths)})'

    @property
    def num_clips(self) -> int:
        """int: N, the number of clips."""
        return len(self.lengths)

    @cached_property
    def num_frames(self) -> int:
        """int: F, the sum of the lengths."""
        return sum(self.lengths)

    def clip_of_frame(self, device: torch.device) -> Tensor:
        """Returns the index of the clip of each frame, (F,), int64."""
        return self._index(
            'clips',
            device,
            lambda: np.repeat(np.arange(self.num_clips), self.lengths),
        )

    def edges(self, device: torch.device) -> Tuple[Tensor, Tensor]:
        """Returns the indices of the first and last frame of each clip,
        (N,)."""
        ends = np.cumsum(self.lengths)
        first, last = self._index(
            'edges', device, lambda: (ends - self.lengths, ends - 1)
        )
        return first, last

    def split(self, x: Tensor) -> List[Tensor]:
        """Splits a packed tensor into N views, e.g. (1, C, T_n, H, W)."""
        return list(x.split(self.lengths, dim=frame_axis(x)))

    def fit(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        """Pads or crops every clip to another length, centred.

        A clip that is too short by d frames gets floor(d / 2) zero frames at
        the front and the others at the end; a clip that is too long loses
        frames in the same way.

        Args:
            x (Tensor): Packed, (1, C, F, H, W).
            lengths (Sequence[int]): New number of frames of each clip.

        Returns:
            Tensor: Packed, (1, C, F', H, W), F' the sum of ``lengths``.
        """
        lengths = tuple(lengths)
        if lengths == self.lengths:
            return x

        def copied():
            """Old and new indices of the kept frames."""
            start = new_start = 0
            for old, new in zip(self.lengths, lengths, strict=True):
                kept = np.arange(min(old, new))
                yield np.stack(
                    [
                        start + max(old - new, 0) // 2 + kept,
                        new_start + max(new - old, 0) // 2 + kept,
                    ]
                )
                start, new_start = start + old, new_start + new

        before, after = self._index(
            ('fit', lengths),
            x.device,
            lambda: np.concatenate(list(copied()), axis=1),
        )
        return put_frames(take_frames(x, before), after, sum(lengths))

    def mean(self, x: Tensor) -> Tensor:
        """Averages the frames of each clip.

        Args:
            x (Tensor): Packed, (1, C, F, H, W).

        Returns:
            Tensor: (N, C, 1, H, W).
        """
        # Sums of half precision are in single precision.
        dtype = torch.promote_types(x.dtype, torch.float32)
        if self.num_clips == 1:
            return x.mean(dim=2, keepdim=True, dtype=dtype).to(x.dtype)
        maps, axis = unpack(x)
        shape = list(maps.shape)
        shape[axis] = self.num_clips
        total = maps.new_zeros(shape, dtype=dtype).index_add_(
            axis, self.clip_of_frame(x.device), maps.to(dtype)
        )
        others = [1] * (maps.dim() - 1 - axis)
        count = self._index(
            ('lengths', axis),
            x.device,
            lambda: np.reshape(self.lengths, [-1, *others]),
        )
        mean = (total / count).to(x.dtype)
        # (N, H, W, C) or (1, C, N, H, W)
        if axis == 0:
            return mean.permute(0, 3, 1, 2).unsqueeze(2)
        return mean.transpose(0, 2)

    def max(self, x: Tensor) -> Tensor:
        """Takes the maximum over the frames of each clip.

        Args:
            x (Tensor): Packed, (1, C, F, H, W).

        Returns:
            Tensor: (N, C, 1, H, W).
        """
        index = self.clip_of_frame(x.device)[None, :, None, None]
        start = x.new_full(
            (x.shape[1], self.num_clips, *x.shape[3:]), -float('inf')
        )
        peak = start.scatter_reduce(1, index.expand_as(x[0]), x[0], 'amax')
        return peak.transpose(0, 1).unsqueeze(2)

    def expand(self, x: Tensor) -> Tensor:
        """Repeats the map of each clip for all of its frames.

        Args:
            x (Tensor): One map per clip, (N, C, 1, H, W).

        Returns:
            Tensor: Packed, (1, C, F, H, W).
        """
        return x.index_select(0, self.clip_of_frame(x.device)).transpose(0, 2)

    def slide(
        self, x: Tensor, window: Window, fill: float = 0.0
    ) -> Tuple[Tensor, Tensor]:
        """Places the clips on a timeline for a window that moves over all.

        Every clip starts at a multiple of the stride, after ``padding`` fill
        frames. The clips are far enough apart that no valid output reads two
        of them. Neighbouring clips share the fill between them.

        Args:
            x (Tensor): Packed, (1, C, F, H, W).
            window (Window): The window, which is then run on the result
                without temporal padding.
            fill (float): Value of the fill frames. Defaults to 0.

        Returns:
            tuple[Tensor]: The timeline, (1, C, L, H, W), and the indices of
            the valid outputs of the window, (F',), int64.
        """
        frames, outputs, size = self._timeline(window, x.device)
        return put_frames(x, frames, size, fill), outputs

    def steps(self, window: Window, device: torch.device) -> Tensor:
        """Returns the frames that a window of one tap reads, (F',), int64."""
        assert window.kernel == 1 and window.padding == 0
        edges = np.cumsum((0,) + self.lengths)
        return self._index(
            ('steps', window.stride),
            device,
            lambda: np.concatenate(
                [
                    np.arange(start, end, window.stride)
                    for start, end in pairwise(edges)
                ]
            ),
        )

    def window_counts(
        self, window: Window, device: torch.device, count_include_pad: bool
    ) -> Tensor:
        """Returns the number of taps that each output averages, (F',)."""

        def counts():
            for length in self.lengths:
                start = (
                    window.stride * np.arange(window.output_length(length))
                    - window.padding
                )
                end = start + window.kernel
                pad = window.padding if count_include_pad else 0
                yield np.minimum(end, length + pad) - np.maximum(start, -pad)

        return self._index(
            ('counts', window, count_include_pad),
            device,
            lambda: np.concatenate(list(counts())),
        )

    def _timeline(
        self, window: Window, device: torch.device
    ) -> Tuple[Tensor, Tensor, int]:

        def make():
            frames, outputs, start, size = [], [], 0, 0
            for length in self.lengths:
                count = window.output_length(length)
                first = start + window.padding
                frames.append(np.arange(first, first + length))
                outputs.append(start // window.stride + np.arange(count))
                read = start + (count - 1) * window.stride + window.reach
                size = max(read, first + length)
                # The next clip starts after all frames that this one reads,
                # and its first window after the last frame of this one.
                start = max(first + length, read - window.padding)
                start += -start % window.stride
            index = _to(device, np.concatenate(frames + outputs))
            return (
                index[: self.num_frames],
                index[self.num_frames :],
                size,
            )

        return self._once(('timeline', window, device), make)

    def _index(self, key, device: torch.device, make) -> Tensor:
        return self._once((key, device), lambda: _to(device, make()))

    def _once(self, key, make):
        """Caches values that several modules need, once per layout."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def _to(device: torch.device, index) -> Tensor:
    # Else the host would wait for all work on the device.
    return torch.as_tensor(np.asarray(index)).to(device, non_blocking=True)


def pack(clips: Sequence[Tensor]) -> Tuple[Tensor, Layout]:
    """Packs clips of unequal length into one tensor.

    Args:
        clips (Sequence[Tensor]): N clips, (1, C, T_n, H, W) or (T_n, C, H, W).

    Returns:
        tuple[Tensor, Layout]: The packed tensor, (1, C, F, H, W) or (F, C, H,
        W), and its layout.
    """
    axis = frame_axis(clips[0])
    return (
        torch.cat(list(clips), dim=axis),
        Layout([clip.shape[axis] for clip in clips]),
    )
