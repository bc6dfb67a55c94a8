"""Similarity Guided Sampling on the output of a backbone."""

from typing import Dict, List, Optional, Sequence, Tuple, Union

from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmatfr.ragged import Layout
from mmatfr.sgs import (
    SGS,
    LayerOptions,
    check_integer,
    check_names,
    sgs_layers,
)

__all__ = ['SGSNeck']


@MODELS.register_module()
class SGSNeck(BaseModule):
    """Averages the groups of each clip instead of its frames.

    The average pool of a head counts every frame once, so a long still stretch
    outweighs a short action. After this neck it counts every group once. The
    neck works with any backbone of mmaction2. It saves no compute, because the
    backbone has already run.

    ``Recognizer2D`` passes the maps of several stages to a neck, each as (N,
    C, T, H, W), and expects one map of one frame. Set two ``out_indices`` in
    its backbone, of which the last is used, and ``num_segments=1`` in its
    head.

    Args:
        in_channels (int | Sequence[int]): Number of channels of the last map
            of the backbone; or of each map, and then each is sampled
            separately (the two pathways of SlowFast).
        num_segments (int, optional): Number of frames T of a clip, if the maps
            contain the frames of several clips, as for the views of a video in
            ``Recognizer2D``. Defaults to None.
        init_cfg (dict | list[dict], optional): Initialization config dict.
            Defaults to None.
        **options: Options of :class:`mmatfr.sgs.SGS`.

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
        last batch in this thread, (N,), int64, on the CPU; one tensor per map,
        if each is sampled separately. None before the first batch."""
        layers = [*sgs_layers(self).values()]
        if not all(layer.has_run for layer in layers):
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
                (N * T, C, H, W) if ``num_segments`` is given.
            data_samples (list, optional): Not used. Defaults to None.

        Returns:
            tuple: The averages, (N, C, 1, H, W) each, and no auxiliary losses.

        Raises:
            ValueError: If x has another shape or number of maps.
        """
        maps = [x] if isinstance(x, Tensor) else list(x)
        if isinstance(self.sgs, SGS):
            return self._sample(self.sgs, maps[-1]), {}
        layers = [*sgs_layers(self).values()]
        if len(maps) != len(layers):
            raise ValueError(
                f'SGSNeck has in_channels for {len(layers)} maps, but the '
                f'backbone returns {len(maps)}'
            )
        return tuple(map(self._sample, layers, maps)), {}

    def _sample(self, sgs: SGS, x: Tensor) -> Tensor:
        num_segments = self.num_segments
        if x.dim() == 4 and num_segments and len(x) % num_segments == 0:
            x = x.unflatten(0, (-1, num_segments)).transpose(1, 2)
        if x.dim() != 5 or num_segments and x.shape[2] % num_segments:
            raise ValueError(
                'SGSNeck expects (N, C, T, H, W), or (N * T, C, H, W) with '
                f'num_segments=T, but got {tuple(x.shape)} with '
                f'num_segments={num_segments}; in Recognizer2D the backbone '
                'has to return several stages, e.g. out_indices=(2, 3)'
            )
        if num_segments:
            x = x.unflatten(2, (-1, num_segments)).transpose(1, 2)
            x = x.flatten(0, 1)
        maps, lengths = sgs(x)
        return Layout(lengths.tolist()).mean(maps)
