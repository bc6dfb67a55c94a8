"""Similarity Guided Sampling on a backbone's output."""

from typing import Dict, List, Optional, Sequence, Tuple, Union

from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmatfr.ragged import Layout
from mmatfr.sgs import SGS, LayerOptions, check_integer, check_names

__all__ = ['SGSNeck']


@MODELS.register_module()
class SGSNeck(BaseModule):
    """Averages the groups of each clip instead of its frames.

    The average pool of a head counts every frame once, so that a long still
    stretch outweighs a short action. After this neck it counts every group
    once. It saves no compute, for the backbone has run already, and works
    with any backbone of mmaction2.

    ``Recognizer2D`` hands a neck the maps of several stages, each as (N, C, T,
    H, W), and wants one map of one frame back: give its backbone two
    ``out_indices``, of which the last is taken, and its head
    ``num_segments=1``.

    Args:
        in_channels (int | Sequence[int]): Number of channels of the last map
            that the backbone returns; or of each map, which are then sampled
            one by one (the two pathways of SlowFast).
        num_segments (int, optional): Number of frames T of a clip, where the
            maps hold the frames of several clips: those of all views of a
            video in ``Recognizer2D``. Defaults to None.
        init_cfg (dict | list[dict], optional): Initialization config dict.
            Defaults to None.
        **options: Those of :class:`mmatfr.sgs.SGS`.

    Examples:
        >>> import torch
        >>> from mmatfr.models import SGSNeck
        >>> neck = SGSNeck(in_channels=(64, 8))
        >>> slow, fast = torch.rand(2, 64, 4, 7, 7), torch.rand(2, 8, 32, 7, 7)
        >>> (slow, fast), losses = neck((slow, fast))
        >>> slow.shape, fast.shape, losses
        (torch.Size([2, 64, 1, 7, 7]), torch.Size([2, 8, 1, 7, 7]), {})
    """

    def __init__(
        self,
        in_channels: Union[int, Sequence[int]],
        num_segments: Optional[int] = None,
        init_cfg: Optional[Union[Dict, List[Dict]]] = None,
        **options,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_names('SGSNeck', options, LayerOptions.names())
        check_integer('num_segments', num_segments, unset=True)
        if not isinstance(in_channels, (list, tuple)):
            check_integer('in_channels', in_channels)
        self.num_segments = num_segments
        self.sgs = (
            SGS(in_channels, **options)
            if isinstance(in_channels, int)
            else nn.ModuleList(SGS(c, **options) for c in in_channels)
        )

    @property
    def lengths(self) -> Union[None, Tensor, List[Tensor]]:
        """Tensor | list[Tensor]: Temporal resolution B' of each clip of the
        last batch in this thread, (N,), int64, on the CPU; of each map, if
        they are sampled one by one. None before the first."""
        layers = [self.sgs] if isinstance(self.sgs, SGS) else [*self.sgs]
        if any(layer.groups is None for layer in layers):
            return None
        lengths = [layer.groups.lengths for layer in layers]
        return lengths[0] if isinstance(self.sgs, SGS) else lengths

    def forward(
        self,
        x: Union[Tensor, Sequence[Tensor]],
        data_samples: Optional[list] = None,
    ) -> Tuple[Union[Tensor, Tuple[Tensor, ...]], dict]:
        """Averages the groups of each clip.

        Args:
            x (Tensor | Sequence[Tensor]): Feature maps, (N, C, T, H, W), or
                (N * T, C, H, W) where ``num_segments`` is given.
            data_samples (list, optional): Not used. Defaults to None.

        Returns:
            tuple: The averages, (N, C, 1, H, W) each, and no auxiliary losses.

        Raises:
            ValueError: If x is none of these.
        """
        maps = [x] if isinstance(x, Tensor) else list(x)
        if isinstance(self.sgs, SGS):
            return self._sample(self.sgs, maps[-1]), {}
        if len(maps) != len(self.sgs):
            raise ValueError(
                f'SGSNeck has in_channels for {len(self.sgs)} maps, but the '
                f'backbone returns {len(maps)}'
            )
        return tuple(map(self._sample, self.sgs, maps)), {}

    def _sample(self, sgs: SGS, x: Tensor) -> Tensor:
        num_segments = self.num_segments
        if x.dim() == 4 and num_segments and len(x) % num_segments == 0:
            x = x.unflatten(0, (-1, num_segments)).transpose(1, 2)
        if x.dim() != 5 or num_segments and x.shape[2] % num_segments:
            raise ValueError(
                'SGSNeck expects (N, C, T, H, W), or (N * T, C, H, W) with '
                f'num_segments=T, but got {tuple(x.shape)} with '
                f'num_segments={num_segments}; within Recognizer2D the '
                'backbone has to return several stages, e.g. '
                'out_indices=(2, 3)'
            )
        if num_segments:
            x = x.unflatten(2, (-1, num_segments)).transpose(1, 2)
            x = x.flatten(0, 1)
        maps, lengths = sgs(x)
        return Layout(lengths.tolist()).mean(maps)
