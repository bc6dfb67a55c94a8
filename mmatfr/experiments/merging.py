"""Other ways to merge the frames of a group, which show what merging loses."""

from dataclasses import replace
from typing import Callable, Tuple

import torch
from torch import Tensor

from mmatfr.ragged import take_clips
from mmatfr.sgs import SGS, Groups, equal_groups

__all__ = ['keep_first', 'keep_middle', 'spread_groups']


def keep_first(layer: SGS) -> None:
    """Makes a layer pass on the first frame of each group.

    Args:
        layer (SGS): The layer, changed in place.
    """
    _keep(layer, lambda sizes: torch.zeros_like(sizes))


def keep_middle(layer: SGS) -> None:
    """Makes a layer pass on the middle frame of each group.

    Of an even number of frames it is the earlier of the two.

    Args:
        layer (SGS): The layer, changed in place.
    """
    _keep(layer, lambda sizes: (sizes - 1) // 2)


def spread_groups(layer: SGS) -> None:
    """Makes a layer repeat the merged map of each group for all its frames.

    All later stages then see T frames at equal distances. This saves nothing.

    Args:
        layer (SGS): The layer, changed in place.
    """

    def spread(
        layer: SGS, args: tuple, out: Tuple[Tensor, Tensor]
    ) -> Tuple[Tensor, Tensor]:
        maps, _ = out
        frames = take_clips(maps, layer.groups.index)
        whole = equal_groups(layer.magnitude, frames.shape[2])
        layer.remember(whole, layer.magnitude)
        packed = frames.transpose(0, 1).flatten(1, 2)[None]
        if maps.is_contiguous(memory_format=torch.channels_last_3d):
            packed = packed.contiguous(memory_format=torch.channels_last_3d)
        return packed, whole.lengths

    layer.register_forward_hook(spread)


def _keep(layer: SGS, place: Callable[[Tensor], Tensor]) -> None:
    """Gives one frame of each group the weight 1, and the others 0."""
    own = layer.binning

    def binning(magnitude: Tensor) -> Groups:
        groups = own(magnitude)
        together = groups.index[:, :, None] == groups.index[:, None, :]
        earlier = together.tril(-1).sum(dim=2)
        kept = earlier == place(together.sum(dim=2))
        return replace(groups, weight=kept.to(groups.weight))

    layer.binning = binning
