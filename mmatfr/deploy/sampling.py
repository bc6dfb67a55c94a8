"""Sampling in a network for one clip."""

from contextlib import contextmanager
from typing import Dict, Iterator

import torch
from torch import Tensor, nn

from mmatfr.sgs import SGS

from .grouping import ClipGroups, group_clip

__all__ = ['ClipSampler', 'SampledGroups']


class SampledGroups:
    """The groups of one clip; merges its maps.

    Attributes:
        magnitude (Tensor): Magnitude of each frame, (T,).
        index (Tensor): Group of each frame, (T,).
        length (Tensor): B', a scalar.
        joined (int): Number of frames after a join with another pathway.
    """

    def __init__(
        self, magnitude: Tensor, groups: ClipGroups, is_2d: bool
    ) -> None:
        self.magnitude = magnitude
        self.index = groups.index
        self.length = groups.length
        self.is_2d = is_2d
        num_groups = groups.length.item()
        torch._check(num_groups >= 1)
        torch._check(num_groups <= len(groups.index))
        self.num_groups = self.joined = num_groups
        rows = torch.arange(num_groups)[:, None]
        self.weight = (rows == groups.index).to(groups.weight) * groups.weight

    def merge(self, x: Tensor) -> Tensor:
        """Sums the weighted maps of each group, T frames to B'."""
        if self.is_2d:
            maps = self.weight @ x.flatten(1)
            return maps.reshape(-1, *x.shape[1:])
        maps = self.weight @ x.flatten(3)
        return maps.reshape(*x.shape[:2], -1, *x.shape[3:])

    def spread(self, x: Tensor, num_frames: int) -> Tensor:
        """Gives each of T' frames the map of its group."""
        axis = 0 if self.is_2d else 2
        frames = torch.arange(num_frames) * len(self.index) // num_frames
        place = self.index[frames] + (self.joined - self.num_groups) // 2
        return x.index_select(axis, place * x.shape[axis] // self.joined)


class ClipSampler:
    """Samples at one module of a plain backbone.

    Args:
        layer (SGS): The layer.
        is_2d (bool): Whether maps are (T, C, H, W).
        module (nn.Module): Samples at this module.
        before (bool): Whether to sample the input of the module, not the
            output.
    """

    def __init__(
        self,
        layer: SGS,
        is_2d: bool,
        module: nn.Module,
        before: bool,
    ) -> None:
        self.layer = layer
        self.is_2d = is_2d
        self.module = module
        self.before = before
        # With bin_range='data', the mean range of the training clips.
        self.peak = layer.bin_range == 'data' and layer.running_peak.item()
        self.options = dict(vars(layer.binning))
        del self.options['num_bins']
        if not self.peak:
            self.options['peak'] = None

    @contextmanager
    def sampling(
        self, num_bins: Tensor, groups: Dict[str, SampledGroups], name: str
    ) -> Iterator[None]:
        """Replaces maps with those of their groups in a context."""

        def sample(x: Tensor) -> Tensor:
            magnitude = self.magnitude(x)
            groups[name] = SampledGroups(
                magnitude, self.group(magnitude, num_bins), self.is_2d
            )
            return groups[name].merge(x)

        if self.before:
            handle = self.module.register_forward_pre_hook(
                lambda module, args: sample(*args)
            )
        else:
            handle = self.module.register_forward_hook(
                lambda module, args, x: sample(x)
            )
        try:
            yield
        finally:
            handle.remove()

    def group(self, magnitude: Tensor, num_bins: Tensor) -> ClipGroups:
        """Groups the frames of a clip by their magnitudes, (T,)."""
        return group_clip(magnitude, num_bins, **self.options)

    def magnitude(self, x: Tensor) -> Tensor:
        """Returns the magnitude of each frame, (T,).

        Args:
            x (Tensor): The maps of the clip, (1, C, T, H, W) or (T, C, H, W).
        """
        layer = self.layer
        x = x.transpose(0, 1)[None] if self.is_2d else x
        z = layer.replicate_inner(layer.project(_pool(x, layer.grid)))
        magnitude = layer.similarity(z)
        if self.peak:
            magnitude = magnitude / self.peak
        return magnitude[0]


def _pool(x: Tensor, grid: int) -> Tensor:
    """Averages the cells of a grid on maps of any size, (1, T, C G^2)."""
    if grid == 1:
        return x.mean(dim=(3, 4)).transpose(1, 2)
    rows, columns = (_cells(size, grid) for size in x.shape[3:])
    return (rows @ x @ columns.T).transpose(1, 2).flatten(2)


def _cells(size: int, grid: int) -> Tensor:
    """Returns the share of each of ``size`` pixels in each cell."""
    cell = torch.arange(grid)[:, None]
    start, end = cell * size // grid, -(-(cell + 1) * size // grid)
    place = torch.arange(size)
    inside = (place >= start) & (place < end)
    return inside.to(torch.float32) / (end - start)
