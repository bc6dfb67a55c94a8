"""The clips of a batch after the sampling."""

from dataclasses import dataclass, replace
from typing import Sequence

import torch
from torch import Tensor

from mmatfr.ragged import Clips, Layout
from mmatfr.sgs import Groups, join_groups

__all__ = ['SampledClips', 'join_clips']


@dataclass(frozen=True, kw_only=True)
class SampledClips(Clips):
    """The sampled clips of a batch.

    The layout is that of the groups, or that after a join with another
    pathway.

    Attributes:
        groups (Groups): The groups of each clip, without gradient history.
        magnitude (Tensor): Magnitudes of the frames, (N, T).
    """

    groups: Groups
    magnitude: Tensor


def join_clips(batches: Sequence[SampledClips]) -> SampledClips:
    """Joins the clips of several forwards."""
    return replace(
        batches[0],
        layout=Layout(sum((clips.layout.lengths for clips in batches), ())),
        packed=True,
        groups=join_groups([clips.groups for clips in batches]),
        magnitude=torch.cat([clips.magnitude for clips in batches]),
    )
