"""The groups of one clip, in operations that every engine supports.

:func:`mmatfr.sgs.group_frames` numbers the groups of a batch by sorting and
scattering. A deployed network runs one clip at a time, where comparing all
pairs of frames is as fast. The number of groups is the only value on which a
shape depends.
"""

from dataclasses import dataclass
from typing import Optional

import torch
from torch import Tensor

from mmatfr.sgs.grouping import (
    _EDGE_RTOL,
    _EDGE_WEIGHT,
    _MOST_BINS,
    _MOVING_RTOL,
    _STILL_ATOL,
    _STILL_RTOL,
    clamp_border,
)

__all__ = ['ClipGroups', 'group_clip']


@dataclass(frozen=True, eq=False)
class ClipGroups:
    """The groups of one clip of T frames.

    Attributes:
        index (Tensor): Group of each frame, (T,), int64 in [0, B').
        weight (Tensor): Weight of each frame in its group, (T,).
        length (Tensor): Number of groups B', a scalar, int64.
    """

    index: Tensor
    weight: Tensor
    length: Tensor


def group_clip(
    magnitude: Tensor,
    num_bins: Tensor,
    kernel: str = 'delta',
    normalize: Optional[bool] = None,
    order: str = 'magnitude',
    contiguous: bool = False,
    peak: Optional[float] = None,
    ends: int = 0,
) -> ClipGroups:
    """Sorts the frames of one clip into bins of equal width.

    Args:
        magnitude (Tensor): Delta, (T,). Negative values count as 0.
        num_bins (Tensor): Number of bins B, a scalar, int64.
        kernel (str): This and the other options are as for
            :func:`mmatfr.sgs.group_frames`.
        normalize (bool, optional): Whether weights are divided by the number
            of frames in the group.
        order (str): Order of the groups.
        contiguous (bool): Whether a group consists of neighbouring frames
            only.
        peak (float, optional): Replaces Delta_max.
        ends (int): Number of frames at each end that each form a separate
            group.

    Returns:
        ClipGroups: The same groups as from :func:`mmatfr.sgs.group_frames`.
    """
    magnitude = magnitude.clamp_min(0.0)
    num_frames = magnitude.shape[0]
    normalize = kernel == 'delta' if normalize is None else normalize
    frames = torch.arange(num_frames, device=magnitude.device)
    own_peak = magnitude.amax(0)
    spread = own_peak - magnitude.amin(0)
    level = own_peak.clamp_min(_STILL_ATOL)
    still = spread <= _STILL_RTOL * level
    all_bins = num_bins.to(magnitude.dtype)
    if peak is None:
        scale = torch.where(still, torch.ones_like(own_peak), own_peak)
        last_bin = all_bins - 1
    else:
        scale = torch.full_like(own_peak, peak)
        last_bin = all_bins.clamp_min(_MOST_BINS) - 1
    # Equal to torch's division of a number by a tensor, bit for bit.
    steps = scale.reciprocal() * (2 * all_bins)
    position = magnitude * steps
    position = torch.where(still, torch.zeros_like(position), position)
    # Integers, exact in single precision.
    bins = (position / 2 + _EDGE_RTOL * all_bins).floor()
    bins = torch.minimum(bins, last_bin).clamp_min(0)
    labels = bins
    if contiguous:
        turns = (bins[1:] != bins[:-1]).to(bins).cumsum(0)
        labels = torch.cat([torch.zeros_like(bins[:1]), turns])
    ends = clamp_border(ends, num_frames)
    if ends:
        # Before and after all other labels.
        behind = frames - (num_frames - ends)
        inner = (frames >= ends) & (behind < 0)
        past = labels.amax(0) + 1 + ends
        apart = torch.where(behind < 0, frames.to(past), past + behind)
        labels = torch.where(inner, labels + ends, apart)

    same = labels[:, None] == labels
    count = same.to(magnitude.dtype).sum(1)
    if order == 'magnitude':
        mine, others = bins[:, None], bins  # shared by the frames of a group
    else:
        # Mean frame indices, compared without division, which engines round
        # differently. Integers, exact in single precision.
        total = (same * frames).to(magnitude.dtype).sum(1)
        mine, others = total[:, None] * count, total * count[:, None]
    first = (same & (frames < frames[:, None])).sum(1) == 0
    # Groups are sorted by rank, and ties by label.
    before = (others < mine) | ((others == mine) & (labels < labels[:, None]))
    index = (before & first).long().sum(1)

    offset = position - (2 * bins + 1)
    if kernel == 'linear':
        weight = (1 - offset.abs()).clamp_min(_EDGE_WEIGHT)
    else:
        weight = torch.ones_like(offset)
    if normalize:
        weight = weight / count
    moving = (spread / (_MOVING_RTOL * level)).clamp_max(1.0)
    weight = torch.where(still, 1 / count, (1 / count).lerp(weight, moving))
    return ClipGroups(index, weight, first.long().sum())
