"""Controls: groups that do not depend on the content of a clip.

Each has the signature of a binning, from magnitudes (N, T) to :class:`Groups`,
but uses only the shape of the magnitudes. A control gives a network a static
or random resolution at the place where another network samples.
"""

from dataclasses import replace
from numbers import Real
from typing import Sequence, Union

import torch
from torch import Tensor

from .grouping import Groups, pack_labels
from .options import check_integer

__all__ = ['equal_groups', 'pool_frames', 'random_groups', 'stride_frames']


def equal_groups(
    magnitude: Tensor, length: Union[int, Sequence[int]]
) -> Groups:
    """Divides each clip into a given number of groups of equal size.

    Args:
        magnitude (Tensor): (N, T); only the shape matters.
        length (int | Sequence[int]): Number of groups of every clip, or of
            each of the N clips; from 1 to T.

    Returns:
        Groups: The means of ``length`` stretches of neighbouring frames.

    Raises:
        ValueError: If a length is not an integer from 1 to T, or the number of
            lengths is neither 1 nor N.
    """
    num_clips, num_frames = magnitude.shape
    given = list(length) if isinstance(length, (list, tuple)) else [length]
    if len(given) not in (1, num_clips):
        raise ValueError(
            f'length={length!r} must be one number, or one for each of '
            f'{num_clips} clips'
        )
    for number in given:
        check_integer('length', number)
    lengths = torch.as_tensor(given).expand(num_clips).clone()
    if not 1 <= int(lengths.min()) <= int(lengths.max()) <= num_frames:
        raise ValueError(
            f'length={length!r} must be from 1 to {num_frames}, the number '
            'of frames of a clip'
        )
    starts = lengths.cumsum(0) - lengths
    per_clip, starts = (
        x.to(magnitude.device, non_blocking=True)[:, None]
        for x in (lengths, starts)
    )
    frames = torch.arange(num_frames, device=magnitude.device)
    labels = frames * per_clip // num_frames
    # The first frame t of group g is the smallest with t L // T = g.
    sizes = labels * num_frames // -per_clip
    sizes = sizes - (labels + 1) * num_frames // -per_clip
    return Groups(labels + starts, 1 / sizes.to(magnitude.dtype), lengths)


def pool_frames(magnitude: Tensor, size: int) -> Groups:
    """Average pooling over time, with a stride equal to the window size.

    Args:
        magnitude (Tensor): (N, T); only the shape matters.
        size (int): Number of frames per group; the last group may be smaller.

    Returns:
        Groups: ceil(T / size) for each clip.

    Raises:
        ValueError: If the size is not a positive integer.
    """
    check_integer('size', size)
    num_frames = magnitude.shape[1]
    frames = torch.arange(num_frames, device=magnitude.device)
    index, lengths, count = pack_labels(
        (frames // size).expand_as(magnitude), num_frames
    )
    return Groups(index, 1 / count.to(magnitude.dtype), lengths)


def stride_frames(magnitude: Tensor, step: int) -> Groups:
    """Keeps the first of every ``step`` frames and drops the others.

    Args:
        magnitude (Tensor): (N, T); only the shape matters.
        step (int): One frame is kept out of this many.

    Returns:
        Groups: ceil(T / step) for each clip; a dropped frame has weight 0.

    Raises:
        ValueError: If the step is not a positive integer.
    """
    check_integer('step', step)
    groups = pool_frames(magnitude, step)
    frames = torch.arange(magnitude.shape[1], device=magnitude.device)
    kept = (frames % step == 0).to(magnitude.dtype)
    return replace(groups, weight=kept.expand_as(groups.weight))


def random_groups(magnitude: Tensor, resolution: float) -> Groups:
    """Cuts each clip at random positions, drawn in every call.

    Each pair of neighbouring frames is separated with the same probability, so
    B' varies around its mean from clip to clip.

    Args:
        magnitude (Tensor): (N, T); only the shape matters.
        resolution (float): Mean of B'/T, from 1/T to 1.

    Returns:
        Groups: Stretches of neighbouring frames, each averaged.

    Raises:
        ValueError: If a clip of T frames cannot have this resolution.
    """
    num_clips, num_frames = magnitude.shape
    # For mypy a float is not a Real.
    if (
        not isinstance(resolution, (float, Real))
        or not 1 / num_frames <= resolution <= 1
    ):
        raise ValueError(
            f'resolution={resolution!r} must be from 1/{num_frames} to 1 for '
            f'clips of {num_frames} frames'
        )
    probability = (resolution * num_frames - 1) / max(1, num_frames - 1)
    cuts = torch.rand(num_clips, num_frames, device=magnitude.device)
    cuts = cuts < probability
    cuts[:, 0] = False
    index, lengths, count = pack_labels(cuts.cumsum(dim=1), num_frames)
    return Groups(index, 1 / count.to(magnitude.dtype), lengths)
