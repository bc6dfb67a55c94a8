"""Controls: groups that do not depend on what a clip shows.

Each has the signature of a binning, from magnitudes (N, T) to
:class:`Groups`, and takes nothing from the magnitudes but their shape, so that
a network can be given a static resolution, or a random one, at the place where
another samples.
"""

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
    """Groups of equal size, whatever the magnitudes: a given resolution.

    Args:
        magnitude (Tensor): (N, T), of which the shape alone counts.
        length (int | Sequence[int]): Number of groups of every clip, or of
            each of the N clips; from 1 to T.

    Returns:
        Groups: The means of ``length`` stretches of neighbouring frames.

    Raises:
        ValueError: If a clip cannot have so many groups, or the length is no
            positive integer.
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
        x.to(magnitude.device)[:, None] for x in (lengths, starts)
    )
    frames = torch.arange(num_frames, device=magnitude.device)
    labels = frames * per_clip // num_frames
    # The first frame t of group g is the smallest with t L // T = g.
    sizes = labels * num_frames // -per_clip
    sizes = sizes - (labels + 1) * num_frames // -per_clip
    return Groups(labels + starts, 1 / sizes.to(magnitude.dtype), lengths)


def pool_frames(magnitude: Tensor, size: int) -> Groups:
    """Average pooling over time with a stride of its size.

    Args:
        magnitude (Tensor): (N, T), of which the shape alone counts.
        size (int): Number of frames of a group; the last takes the rest.

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
    """Keeps the first of every few frames and drops the others.

    Args:
        magnitude (Tensor): (N, T), of which the shape alone counts.
        step (int): Number of frames of which one is kept.

    Returns:
        Groups: ceil(T / step) for each clip; a frame that is dropped weighs 0.

    Raises:
        ValueError: If the step is not a positive integer.
    """
    check_integer('step', step)
    groups = pool_frames(magnitude, step)
    frames = torch.arange(magnitude.shape[1], device=magnitude.device)
    kept = (frames % step == 0).to(magnitude.dtype)
    return groups._replace(weight=kept.expand_as(groups.weight))


def random_groups(magnitude: Tensor, resolution: float) -> Groups:
    """Cuts each clip at random, differently in every call.

    A clip is cut, or not, between any two neighbouring frames with the same
    probability, so that B' differs from clip to clip around its mean.

    Args:
        magnitude (Tensor): (N, T), of which the shape alone counts.
        resolution (float): Mean of B'/T, from 1/T to 1.

    Returns:
        Groups: Stretches of neighbouring frames, each averaged.

    Raises:
        ValueError: If no clip of T frames has such a resolution.
    """
    num_clips, num_frames = magnitude.shape
    if (
        not isinstance(resolution, Real)
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
