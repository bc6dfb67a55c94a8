"""Similarity Guided Sampling as a layer.

Paper: "3D CNNs with Adaptive Temporal Feature Resolutions", CVPR 2021,
arXiv:2011.08652.
"""

from contextlib import nullcontext
from functools import partial
from typing import Callable, Optional, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .grouping import KERNELS, ORDERS, Groups, group_frames, merge_frames
from .similarity import Similarity, get_similarity

__all__ = ['SGS']


class SGS(nn.Module):
    """Passes on one feature map per group of similar frames.

    The feature maps of a clip are mapped to similarity vectors, ``Z =
    BN(fc2(ReLU(fc1(GAP(x)))))``; frames whose magnitudes share a bin form a
    group, and the weighted sum of each group's maps goes on. How many groups
    a clip has depends on the clip alone. The defaults are the paper's.

    Args:
        in_channels (int): Number of channels C of the feature maps.
        similarity_channels (int): Dimension D of the similarity vectors.
            Defaults to 8.
        num_bins (int, optional): Number of bins B. Defaults to None, which
            stands for the number of frames T of the clips.
        similarity (str | Callable): Magnitude of a frame: 'norm' (paper), the
            distance to the clip's mean vector 'l2', 'l1' or 'cosine'
            (authors' code), or a function from (N, T, D) to (N, T). Defaults
            to 'norm'.
        kernel (str): Weight of a frame in its group: 'delta' (paper) is 1,
            'linear' falls from 1 at the centre of the bin to 0 at its edges.
            Defaults to 'delta'.
        normalize (bool, optional): Whether weights are divided by the number
            of frames in the group. Defaults to None: True for 'delta', False
            for 'linear'.
        order (str): Order of the groups of a clip: 'magnitude' (paper) or
            'time', by the mean frame index. Defaults to 'magnitude'.
        contiguous (bool): Whether a group holds neighbouring frames only.
            Defaults to False.

    Attributes:
        binning (Callable): From magnitudes (N, T) to :class:`Groups`.
        groups (Groups): The groups of the last forward, without gradient
            history; None before the first.
        magnitude (Tensor): The magnitudes of the last forward, (N, T).

    Examples:
        >>> import torch
        >>> from mmatfr.sgs import SGS
        >>> sgs = SGS(in_channels=24)
        >>> maps, lengths = sgs(torch.rand(2, 24, 16, 7, 7))
        >>> maps.shape[2] == lengths.sum()
        tensor(True)
    """

    def __init__(
        self,
        in_channels: int,
        similarity_channels: int = 8,
        num_bins: Optional[int] = None,
        similarity: Union[str, Similarity] = 'norm',
        kernel: str = 'delta',
        normalize: Optional[bool] = None,
        order: str = 'magnitude',
        contiguous: bool = False,
    ) -> None:
        super().__init__()
        for name, value in (
            ('in_channels', in_channels),
            ('similarity_channels', similarity_channels),
            ('num_bins', 1 if num_bins is None else num_bins),
        ):
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f'{name}={value!r} must be a positive integer'
                )
        for name, value, choices in (
            ('kernel', kernel, KERNELS),
            ('order', order, ORDERS),
        ):
            if value not in choices:
                raise ValueError(
                    f'{name}={value!r} is unknown; choose one of '
                    f'{list(choices)}'
                )
        self.in_channels = in_channels
        self.similarity_channels = similarity_channels
        self.similarity = get_similarity(similarity)
        self.binning: Callable[[Tensor], Groups] = partial(
            group_frames,
            num_bins=num_bins,
            kernel=kernel,
            normalize=normalize,
            order=order,
            contiguous=contiguous,
        )
        hidden_channels = max(1, in_channels // 2)
        self.fc1 = nn.Linear(in_channels, hidden_channels)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(hidden_channels, similarity_channels)
        self.bn = nn.BatchNorm1d(similarity_channels)
        self.groups: Optional[Groups] = None
        self.magnitude: Optional[Tensor] = None

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        """Groups the frames of each clip.

        Args:
            x (Tensor): Feature maps, (N, C, T, H, W).

        Returns:
            tuple[Tensor]: The maps of all groups, packed along the time axis,
            (1, C, F, H, W), and the number of groups B' of each clip, (N,),
            int64 on the CPU, with F their sum.

        Raises:
            ValueError: If x has another number of dimensions or channels.
        """
        if x.dim() != 5 or x.shape[1] != self.in_channels:
            raise ValueError(
                f'SGS expects (N, C={self.in_channels}, T, H, W), but got a '
                f'tensor of shape {tuple(x.shape)}'
            )
        # The bin of a frame is a step function of its magnitude: half
        # precision would move frames between bins.
        device = x.device.type
        with (
            torch.autocast(device, enabled=False)
            if torch.amp.is_autocast_available(device)
            else nullcontext()
        ):
            magnitude = self.similarity(self.embed(x))
            groups = self.binning(magnitude)
        self.magnitude = magnitude.detach()
        self.groups = groups.detach()
        return merge_frames(x, groups), groups.lengths

    def embed(self, x: Tensor) -> Tensor:
        """Maps frames to similarity vectors (Eq. 1 and 2).

        Args:
            x (Tensor): Feature maps, (N, C, T, H, W).

        Returns:
            Tensor: Z, (N, T, D), in single precision or better.
        """
        dtype = torch.promote_types(x.dtype, torch.float32)
        pooled = x.mean(dim=(3, 4), dtype=dtype).transpose(1, 2)
        pooled = pooled.to(self.fc1.weight.dtype)
        z = self.fc2(self.relu(self.fc1(pooled)))
        return self._normalize(z.flatten(0, 1)).view_as(z).to(dtype)

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
        """Names the choices that the submodules do not show."""
        options = (
            dict(
                similarity=getattr(
                    self.similarity, '__name__', self.similarity
                ),
                **self.binning.keywords,
            )
            if isinstance(self.binning, partial)
            else dict(binning=self.binning)
        )
        return ', '.join(f'{key}={value}' for key, value in options.items())
