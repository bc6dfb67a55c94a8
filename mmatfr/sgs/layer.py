"""Similarity Guided Sampling as a layer.

Paper: "3D CNNs with Adaptive Temporal Feature Resolutions", CVPR 2021,
arXiv:2011.08652.
"""

import sys
from contextlib import nullcontext
from typing import Any, Callable, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .grouping import Binning, Groups, clamp_border
from .learned import LearnedPath
from .merging import merge_frames
from .options import LayerOptions, check_integer
from .results import LastResults
from .similarity import ROUNDING, Similarity, get_similarity, is_rounding

__all__ = ['SGS', 'own_range', 'refuse_tracing']

# Minimum momentum of the running mean of the peaks.
_MOMENTUM = 0.01


# Holds the modules of the network that torch.jit.trace is tracing.
_TRACING = sys.modules['torch.jit._trace']
_last: LastResults['SGS', Tuple[Groups, Tensor]] = LastResults()


def refuse_tracing() -> None:
    """Raises an error while tracing, which would fix the number of groups.

    FLOP counters may trace, because they keep no graph.

    Raises:
        RuntimeError: Within ``torch.jit.trace``, ``torch.export.export`` and
            ``torch.onnx.export``.
    """
    if (
        torch.compiler.is_exporting()
        or torch.onnx.is_in_onnx_export()
        or (torch.jit.is_tracing() and _TRACING._trace_module_map is not None)
    ):
        raise RuntimeError(
            'a network that samples cannot be traced or exported directly: '
            "every clip would get the example's number of groups; export "
            'its recognizer with tools/deployment/export_model.py or '
            'mmatfr.deploy'
        )


def _fetch(magnitude: Tensor) -> Tensor:
    """Moves magnitudes to the CPU, where a small operation is faster.

    Here the host waits for the device, because the number of groups
    determines the shape of all later maps. With ``bin_range='data'`` it then
    fetches one more number, the running peak.
    """
    # Without values, the binning can only depend on the shape.
    return magnitude if magnitude.is_meta else magnitude.cpu()


def own_range(peak: Tensor) -> Tensor:
    """Returns the range of bins of clips that no running peak is known for.

    It is slightly more than the peak, so that the peak falls into the last
    bin; 1 for a still clip.

    Args:
        peak (Tensor): Largest magnitude of each clip, of any shape.

    Returns:
        Tensor: Upper end of the B bins of each clip.
    """
    return (peak * (1 + 4 * ROUNDING)).masked_fill(peak == 0, 1.0)


class SGS(nn.Module):
    """Passes on one feature map per group of similar frames.

    The feature maps of a clip are mapped to similarity vectors, ``Z =
    BN(fc2(ReLU(fc1(GAP(x)))))``. Frames with magnitudes in the same bin form a
    group, and the layer returns the weighted sum of the maps of each group.
    The number of groups depends on the clip alone. The defaults are the
    paper's.

    Args:
        in_channels (int): Number of channels C of the feature maps.
        preset (str): Values of all options, one of :data:`PRESETS`: 'paper';
            'authors', the setting of the authors' code; 'path', which has no
            weights and follows motion; 'learned', the path over steps that a
            fitted head predicts. Defaults to 'paper'.
        **options: Options that override those of the preset, see
            :class:`LayerOptions`.

    Attributes:
        binning (Callable): Maps magnitudes (N, T), on the CPU, to
            :class:`Groups`; a :class:`Binning` unless replaced.
        running_peak (Tensor): Running mean of the largest magnitudes of the
            clips, a scalar; 0 before the first clip. Clips whose largest
            magnitude is not finite are left out. This buffer and
            ``num_batches_tracked`` exist only with ``bin_range='data'``.

    Examples:
        >>> import torch
        >>> from mmatfr.sgs import SGS
        >>> sgs = SGS(in_channels=24)
        >>> maps, lengths = sgs(torch.rand(2, 24, 16, 7, 7))
        >>> maps.shape[2] == lengths.sum()
        tensor(True)
        >>> sgs = SGS(in_channels=24, preset='path', num_bins=8)

    Raises:
        ValueError: If an option or its value is unknown, or if two options
            exclude each other.
    """

    running_peak: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self,
        in_channels: int,
        preset: str = 'paper',
        **options: Any,
    ) -> None:
        super().__init__()
        check_integer('in_channels', in_channels)
        chosen = LayerOptions.from_preset(preset=preset, **options)
        # The layer alone has no stem before it.
        border = 0 if isinstance(chosen.border, str) else chosen.border
        self.in_channels = in_channels
        self.similarity: Similarity
        if chosen.similarity == 'learned_path':
            self.similarity = LearnedPath(in_channels, chosen.grid)
            # No gradient reaches it; it is fitted beforehand.
            self.similarity.requires_grad_(chosen.magnitude_grad)
        else:
            self.similarity = get_similarity(chosen.similarity)
        self.binning: Callable[[Tensor], Groups] = Binning(
            num_bins=chosen.num_bins,
            kernel=chosen.kernel,
            normalize=chosen.normalize,
            order=chosen.order,
            contiguous=chosen.contiguous,
            peak=None if chosen.bin_range == 'clip' else 1.0,
            ends=border if chosen.border_groups else 0,
        )
        self.embedding = chosen.embedding
        self.grid = chosen.grid
        self.border = border
        self.magnitude_grad = chosen.magnitude_grad
        self.bin_range = chosen.bin_range
        if chosen.bin_range == 'data':
            self.register_buffer('running_peak', torch.zeros(()))
            self.register_buffer(
                'num_batches_tracked', torch.zeros((), dtype=torch.long)
            )
        channels = chosen.similarity_channels or 8
        if chosen.embedding == 'mlp_bn':
            hidden_channels = max(1, in_channels // 2)
            self.fc1 = nn.Linear(in_channels * chosen.grid**2, hidden_channels)
            self.relu = nn.ReLU()
            self.fc2 = nn.Linear(hidden_channels, channels)
            self.bn = nn.BatchNorm1d(channels)

    @property
    def has_run(self) -> bool:
        """bool: Whether there was a forward in this thread."""
        return self in _last.by_module

    @property
    def groups(self) -> Groups:
        """Groups: Groups of the last forward in this thread, without gradient
        history; raises an ``AttributeError`` before the first."""
        return self._last_results()[0]

    @property
    def magnitude(self) -> Tensor:
        """Tensor: Magnitudes of the last forward in this thread, (N, T), on
        the CPU; raises an ``AttributeError`` before the first."""
        return self._last_results()[1]

    def _last_results(self) -> Tuple[Groups, Tensor]:
        if not self.has_run:
            raise AttributeError
        return _last.by_module[self]

    def __getattr__(self, name: str) -> Any:
        # Called for a property that raises an AttributeError, too.
        if name in ('groups', 'magnitude'):
            raise AttributeError(
                'there are no groups before the first forward in this thread'
            )
        return super().__getattr__(name)

    def remember(self, groups: Groups, magnitude: Tensor) -> None:
        """Stores the results of a forward for this thread.

        Args:
            groups (Groups): Groups of N clips, without gradient history.
            magnitude (Tensor): Magnitudes, (N, T), without gradient history.
        """
        _last.by_module[self] = groups, magnitude

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        """Groups the frames of each clip.

        Args:
            x (Tensor): Feature maps, (N, C, T, H, W).

        Returns:
            tuple[Tensor]: The maps of all groups, packed along the time axis,
            (1, C, F, H, W), and the number of groups B' of each clip, (N,),
            int64 on the CPU, with F their sum.

        Raises:
            ValueError: If the shape of x is wrong, or x has too few pixels for
                the grid.
            RuntimeError: If the layer is traced or exported.
        """
        if x.dim() != 5 or x.shape[1] != self.in_channels:
            raise ValueError(
                f'SGS expects (N, C={self.in_channels}, T, H, W), but got a '
                f'tensor of shape {tuple(x.shape)}'
            )
        size = x.shape[3:]
        if self.grid > min(size):
            raise ValueError(
                f'grid={self.grid} has more cells than a map of '
                f'{size[0]}x{size[1]} has pixels; set it to {min(size)} at '
                'most, or use larger frames or an earlier stage'
            )
        refuse_tracing()
        # The bin of a frame is a step function of its magnitude; rounding to
        # half precision would move frames between bins.
        device = x.device.type
        with (
            torch.autocast(device, enabled=False)
            if torch.amp.is_autocast_available(device)
            else nullcontext()
        ):
            with nullcontext() if self.magnitude_grad else torch.no_grad():
                z = self.replicate_inner(self.embed(x))
                magnitude = _fetch(self.similarity(z))
                if self.bin_range == 'data':
                    magnitude = magnitude / self._peak(magnitude)
            groups = self.binning(magnitude).to(x.device)
        self.remember(groups.detach(), magnitude.detach())
        return merge_frames(x, groups), groups.lengths

    def embed(self, x: Tensor) -> Tensor:
        """Maps frames to similarity vectors (Eq. 1 and 2).

        Args:
            x (Tensor): Feature maps, (N, C, T, H, W).

        Returns:
            Tensor: Z, (N, T, D), in single precision or better. With
            ``embedding='identity'`` and a grid of G x G cells, D is C G^2.
        """
        return self.project(self.pool(x))

    def pool(self, x: Tensor) -> Tensor:
        """Averages the features of each cell of the grid.

        Args:
            x (Tensor): Feature maps, (N, C, T, H, W).

        Returns:
            Tensor: (N, T, C G^2), in single precision or better.
        """
        dtype = torch.promote_types(x.dtype, torch.float32)
        frames = x.transpose(1, 2)
        if self.grid == 1:
            # Over one axis; torch is slow over two on channels-last maps.
            return frames.flatten(3).mean(dim=3, dtype=dtype)
        if x.is_contiguous(memory_format=torch.channels_last_3d):
            # The 3D pool is slow on them, too.
            return F.adaptive_avg_pool2d(
                frames.flatten(0, 1).to(dtype), self.grid
            ).reshape(*frames.shape[:2], -1)
        z = F.adaptive_avg_pool3d(x.to(dtype), (None, self.grid, self.grid))
        return z.transpose(1, 2).flatten(2)

    def project(self, z: Tensor) -> Tensor:
        """Maps pooled features to similarity vectors.

        Args:
            z (Tensor): Pooled features, as returned by :meth:`pool`.

        Returns:
            Tensor: Z, (N, T, D). Z is equal for all frames of a clip if their
            pooled features differ by no more than rounding.
        """
        # Before the MLP, which could amplify rounding.
        mean = z.mean(dim=1, keepdim=True)
        still = is_rounding(z - mean, z, dim=(1, 2))
        if self.embedding == 'mlp_bn':
            features = z.flatten(0, 1).to(self.fc1.weight.dtype)
            features = self.fc2(self.relu(self.fc1(features)))
            features = self._normalize(features).to(z.dtype)
            z = features.unflatten(0, z.shape[:2])
            mean = z.mean(dim=1, keepdim=True)
        return torch.where(still, mean, z)

    def replicate_inner(self, z: Tensor) -> Tensor:
        """Gives the frames of the border the vectors of their neighbours.

        Args:
            z (Tensor): Similarity vectors or pooled features, (N, T, D).

        Returns:
            Tensor: (N, T, D); of the ``border`` frames at each end, each has
            the vector of the nearest interior frame.
        """
        num_frames = z.shape[1]
        border = clamp_border(self.border, num_frames)
        if border == 0:
            return z
        frames = torch.arange(num_frames, device=z.device)
        return z[:, frames.clamp(border, num_frames - 1 - border)]

    def _peak(self, magnitude: Tensor) -> Tensor:
        """Returns the upper end of the B bins, (1,) or (N, 1)."""
        peak = magnitude.detach().amax(dim=1, keepdim=True).clamp_min(0.0)
        if self.training:
            self._track(peak)
        running_peak = self.running_peak.to(peak)
        return torch.where(running_peak > 0, running_peak, own_range(peak))

    def _track(self, peak: Tensor) -> None:
        """Adds the clips with a finite peak, (N, 1), to the running mean."""
        peak = peak[peak.isfinite()]
        if not len(peak):
            return
        self.num_batches_tracked.add_(1)
        share = (1 / self.num_batches_tracked).clamp_min(_MOMENTUM)
        mean = peak.mean().to(self.running_peak)
        self.running_peak.add_(share * (mean - self.running_peak))

    def _normalize(self, z: Tensor) -> Tensor:
        if self.bn.training and len(z) == 1:
            # One vector has no statistics.
            return F.batch_norm(
                z,
                self.bn.running_mean,
                self.bn.running_var,
                self.bn.weight,
                self.bn.bias,
                eps=self.bn.eps,
            )
        return self.bn(z)

    def extra_repr(self) -> str:
        """Lists the options that the submodules do not show."""
        options = (
            dict(
                similarity=getattr(
                    self.similarity,
                    '__name__',
                    type(self.similarity).__name__,
                ),
                embedding=self.embedding,
                grid=self.grid,
                border=self.border,
                magnitude_grad=self.magnitude_grad,
                bin_range=self.bin_range,
                **vars(self.binning),
            )
            if isinstance(self.binning, Binning)
            else dict(binning=self.binning)
        )
        return ', '.join(f'{key}={value}' for key, value in options.items())
