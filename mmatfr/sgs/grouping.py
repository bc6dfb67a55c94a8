"""Grouping: sorts the frames of each clip into bins.

``group_frames`` turns magnitudes (N, T) into :class:`Groups`. Merging needs
nothing else, so another binning only has to return them.
"""

from dataclasses import dataclass, replace
from typing import Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

__all__ = [
    'Binning',
    'Groups',
    'KERNELS',
    'ORDERS',
    'clamp_border',
    'group_frames',
    'join_groups',
    'pack_labels',
]

KERNELS = ('delta', 'linear')
ORDERS = ('magnitude', 'time')

# A clip is still if its magnitudes differ by no more than rounding, relative
# to the largest.
_STILL_RTOL = 1e-6
_STILL_ATOL = 1e-12
# The weights of a nearly still clip change gradually into those of a still
# one. With a sudden change, rounding alone could alter the result; this slope
# amplifies rounding by 1000 at most.
_MOVING_RTOL = 1e-3
# A frame that lies below the edge of a bin by rounding alone counts as on the
# edge; the tolerance is this share of all bins. Equal steps, for example, put
# frames on edges.
_EDGE_RTOL = 1e-6
# Weight of a frame on the edge of its bin, under the linear kernel. The
# authors' code adds it to every weight to make the bin active.
_EDGE_WEIGHT = 1e-7
# Bins of a given width continue beyond the B-th up to this number. The
# rounding of a magnitude, in half widths of its bin, grows with the number of
# the bin and is 1e-3 in this one.
_MOST_BINS = 2**12


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of a batch of N clips of T frames, F groups in all.

    The groups are numbered throughout the batch: clip by clip, and within a
    clip in the requested order. Each has at least one frame, all of one clip.

    Attributes:
        index (Tensor): Number of the group of each frame, (N, T), int64 in
            [0, F).
        weight (Tensor): Weight of each frame in its group, (N, T). Carries the
            gradient to the magnitudes.
        lengths (Tensor): Number of groups B' of each clip, (N,), int64, on the
            CPU, as for :func:`torch.nn.utils.rnn.pack_padded_sequence`.
    """

    index: Tensor
    weight: Tensor
    lengths: Tensor

    @property
    def num_groups(self) -> int:
        """int: F, the number of groups in the batch."""
        return int(self.lengths.sum())

    def detach(self) -> 'Groups':
        """Returns the groups without their gradient history."""
        return replace(self, weight=self.weight.detach())

    def to(self, device: torch.device) -> 'Groups':
        """Returns the groups with index and weight on a device."""
        return replace(
            self,
            index=self.index.to(device, non_blocking=True),
            weight=self.weight.to(device, non_blocking=True),
        )


def group_frames(
    magnitude: Tensor,
    num_bins: Optional[int] = None,
    kernel: str = 'delta',
    normalize: Optional[bool] = None,
    order: str = 'magnitude',
    contiguous: bool = False,
    peak: Optional[float] = None,
    ends: int = 0,
) -> Groups:
    """Sorts the frames of each clip into bins of equal width (Eq. 3 to 6).

    The bins of a clip divide [0, Delta_max]. Each frame belongs to exactly
    one, ``b = min(floor(Delta / (2 gamma)), B - 1)`` with the half width
    ``gamma = Delta_max / (2 B)``. (The published indicator drops frames that
    lie on an edge, which always include the frame of maximal magnitude.) A
    still clip (all magnitudes equal, or none above 0) becomes one group, the
    plain mean of its frames. If the magnitudes of a clip spread by less than a
    thousandth of the largest, its weights are interpolated between those of
    the kernel and those of the mean.

    For both kernels, the gradient to the magnitudes is that of the triangle
    ``1 - |Delta - beta| / gamma`` of the frame's bin; ``gamma`` is
    differentiated through Delta_max.

    Args:
        magnitude (Tensor): Delta, (N, T). Negative values count as 0.
        num_bins (int, optional): Number of bins B. Defaults to None, which
            means T.
        kernel (str): Weight of a frame in its group: 1 for 'delta', the
            triangle for 'linear'. Defaults to 'delta'.
        normalize (bool, optional): Whether the weights are divided by the
            number of frames in the group. Defaults to None: True for 'delta',
            False for 'linear'.
        order (str): Order of a clip's groups: 'magnitude' as in the paper, or
            'time', by the mean frame index. Defaults to 'magnitude'.
        contiguous (bool): Whether a group consists of neighbouring frames
            only. Defaults to False.
        peak (float, optional): Replaces Delta_max, for all clips. Magnitudes
            beyond it fall into further bins of the same width, up to 4096 in
            total or B if that is more. Defaults to None: the Delta_max of each
            clip.
        ends (int): Number of frames at each end of a clip that each form a
            separate group, regardless of their magnitude; see
            :func:`clamp_border`. Defaults to 0.

    Returns:
        Groups: The groups of the batch.
    """
    magnitude = magnitude.clamp_min(0.0)
    num_frames = magnitude.shape[1]
    num_bins = num_frames if num_bins is None else num_bins
    normalize = kernel == 'delta' if normalize is None else normalize
    own_peak = magnitude.max(dim=1, keepdim=True).values
    spread = (own_peak - magnitude.min(dim=1, keepdim=True).values).detach()
    level = own_peak.detach().clamp_min(_STILL_ATOL)
    still = spread <= _STILL_RTOL * level
    # In half widths: bin b is [2 b, 2 b + 2], its centre 2 b + 1.
    if peak is None:
        scaled = magnitude * (2 * num_bins / own_peak.masked_fill(still, 1.0))
        num_labels = num_bins
    else:
        scaled = magnitude * (2 * num_bins / peak)
        num_labels = max(num_bins, _MOST_BINS)
    position = scaled.masked_fill(still, 0.0)
    bins = (position.detach() / 2 + _EDGE_RTOL * num_bins).floor().long()
    bins = bins.clamp_(0, num_labels - 1)
    labels = bins
    if contiguous:
        labels, num_labels = _runs(bins), num_frames
    elif peak is not None:
        labels, num_labels = _dense_ranks(bins), num_frames
    ends = clamp_border(ends, num_frames)
    if ends:
        labels, num_labels = _set_apart(labels, num_labels, ends)
    index, lengths, count = pack_labels(
        labels, num_labels, rank=bins if order == 'magnitude' else None
    )

    count = count.to(magnitude.dtype)
    if kernel == 'delta' and normalize and not magnitude.requires_grad:
        return Groups(index, 1 / count, lengths)
    # Straight-through: the value of the kernel, the slope of the triangle.
    offset = position - (2 * bins + 1)
    triangle = 1 - torch.where(offset > 0, offset, -offset)
    if kernel == 'linear':
        value = triangle.detach().clamp_min(_EDGE_WEIGHT)
    else:
        value = torch.ones_like(triangle)
    weight = value + (triangle - triangle.detach())
    if normalize:
        weight = weight / count
    moving = (spread / (_MOVING_RTOL * level)).clamp_max(1.0)
    weight = torch.where(still, 1 / count, (1 / count).lerp(weight, moving))
    return Groups(index, weight, lengths)


def clamp_border(border: int, num_frames: int) -> int:
    """Shortens the border of a clip so that an interior frame remains.

    Args:
        border (int): Number of frames at each end.
        num_frames (int): Number of frames of the clip, T.

    Returns:
        int: The border, or (T - 1) // 2 if that is less.
    """
    return min(border, (num_frames - 1) // 2)


@dataclass(frozen=True)
class Binning:
    """The arguments of :func:`group_frames`, callable with magnitudes.

    ``dataclasses.replace(binning, num_bins=8)`` changes the number of bins.
    """

    num_bins: Optional[int] = None
    kernel: str = 'delta'
    normalize: Optional[bool] = None
    order: str = 'magnitude'
    contiguous: bool = False
    peak: Optional[float] = None
    ends: int = 0

    def __call__(self, magnitude: Tensor) -> Groups:
        """Groups the frames of each clip by their magnitudes, (N, T)."""
        return group_frames(magnitude, **vars(self))


def pack_labels(
    labels: Tensor, num_labels: int, rank: Optional[Tensor] = None
) -> Tuple[Tensor, Tensor, Tensor]:
    """Numbers the groups defined by labels of the frames.

    Args:
        labels (Tensor): Label of each frame, (N, T), int64 in [0, num_labels).
            Frames of a clip with equal labels form a group.
        num_labels (int): Exclusive upper bound of the labels.
        rank (Tensor, optional): Sort key of the groups of a clip, (N, T),
            equal within a group; ties are sorted by label. Defaults to None,
            which means the mean frame index.

    Returns:
        tuple[Tensor]: ``index`` (N, T) and ``lengths`` (N,) as in
        :class:`Groups`, and for each frame the size of its group, (N, T),
        int64.
    """
    num_clips, num_frames = labels.shape
    # In NumPy, whose functions take less time for so few numbers.
    keys = np.arange(num_frames) if rank is None else rank.cpu().numpy()
    shape = num_clips, num_labels
    first = num_labels * np.arange(num_clips)[:, None]
    places = (labels.cpu().numpy() + first).ravel()
    counts = np.bincount(places, minlength=first.size * num_labels)
    sums = np.bincount(
        places,
        np.broadcast_to(keys, labels.shape).ravel(),
        minlength=len(counts),
    )
    active = counts > 0
    ranks = np.full(shape, np.inf)
    np.divide(sums, counts, out=ranks.ravel(), where=active)
    order = ranks.argsort(axis=1, kind='stable').argsort(axis=1)
    lengths = active.reshape(shape).sum(axis=1)
    index = order + (lengths.cumsum() - lengths)[:, None]

    def of_frames(values: np.ndarray) -> Tensor:
        per_frame = values.ravel()[places].reshape(labels.shape)
        return torch.from_numpy(per_frame).to(labels.device)

    return of_frames(index), torch.from_numpy(lengths), of_frames(counts)


def _runs(bins: Tensor) -> Tensor:
    """Numbers the runs of equal bins of each clip, (N, T)."""
    steps = torch.zeros_like(bins)
    steps[:, 1:] = bins[:, 1:] != bins[:, :-1]
    return steps.cumsum(dim=1)


def _set_apart(
    labels: Tensor, num_labels: int, ends: int
) -> Tuple[Tensor, int]:
    """Gives each frame at both ends a separate label, in the order of time."""
    num_frames = labels.shape[1]
    frames = torch.arange(num_frames, device=labels.device)
    behind = frames - (num_frames - ends)
    apart = torch.where(behind < 0, frames, num_labels + ends + behind)
    inner = (frames >= ends) & (behind < 0)
    return torch.where(inner, labels + ends, apart), num_labels + 2 * ends


def join_groups(batches: Sequence[Groups]) -> Groups:
    """Joins the groups of several batches.

    Args:
        batches (Sequence[Groups]): Groups of clips with the same number of
            frames T.

    Returns:
        Groups: The groups of all clips.
    """
    index, start = [], 0
    for groups in batches:
        index.append(groups.index + start)
        start += groups.num_groups
    return Groups(
        torch.cat(index),
        torch.cat([groups.weight for groups in batches]),
        torch.cat([groups.lengths for groups in batches]),
    )


def _dense_ranks(bins: Tensor) -> Tensor:
    """Numbers the active bins of each clip, (N, T)."""
    in_order, frames = bins.sort(dim=1)
    return torch.empty_like(bins).scatter_(1, frames, _runs(in_order))
