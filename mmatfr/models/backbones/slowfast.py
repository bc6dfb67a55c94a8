"""SlowFast with adaptive temporal resolution."""

from typing import Dict, Optional, Tuple

import torch
from mmaction.models.backbones.resnet3d_slowfast import ResNet3dSlowFast
from mmaction.registry import MODELS
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mmatfr.ragged import Layout
from mmatfr.sgs import merge_frames

from .atfr import Features, atfr
from .pathway import Stages

__all__ = ['ATFRResNet3dSlowFast']

LATERAL_LENGTHS = ('longer', 'slow', 'frames')


def _stages(backbone: ResNet3dSlowFast) -> Dict[str, Stages]:
    slow, fast = (
        [f'{name}.{stage}' for stage in ('maxpool', *path.res_layers)]
        for name, path in (
            ('slow_path', backbone.slow_path),
            ('fast_path', backbone.fast_path),
        )
    )
    # With 'frames' the lateral modules see clips of equal length.
    if backbone.slow_path.lateral and backbone.lateral_length != 'frames':
        laterals = ['conv1_lateral', *backbone.slow_path.lateral_connections]
        for i, lateral in enumerate(laterals):
            fast[i] = fast[i], f'slow_path.{lateral}'
    return dict(slow_path=slow, fast_path=fast)


@MODELS.register_module()
class ATFRResNet3dSlowFast(atfr(ResNet3dSlowFast, _stages)):
    """mmaction2's SlowFast with Similarity Guided Sampling.

    Takes the arguments of
    :class:`mmaction.models.backbones.resnet3d_slowfast.ResNet3dSlowFast` and
    those of :class:`ATFR`. Each pathway groups its own frames, so that a
    lateral map and the slow pathway may differ in length; they are aligned
    clip by clip.

    Args:
        *args: Positional arguments of the base class.
        lateral_length (str): 'longer' pads the shorter of the two with zero
            frames, half of them in front, as the authors' code does; 'slow'
            pads or crops the lateral map to the slow pathway; 'frames' gives
            each frame of the fast pathway the map of its group before the
            lateral convolution, which so sees the time that it would see
            without sampling, and merges its maps as the frames of the slow
            pathway are merged. Defaults to 'longer'.
        **kwargs: Keyword arguments of the base class and of :class:`ATFR`.

    Raises:
        ValueError: If ``lateral_length`` is unknown.

    Examples:
        >>> import torch
        >>> from mmatfr.models import ATFRResNet3dSlowFast
        >>> backbone = ATFRResNet3dSlowFast(
        ...     resample_rate=4, speed_ratio=4,
        ...     sgs=dict(slow_path=dict(stage=1), fast_path=None)).eval()
        >>> slow, fast = backbone(torch.rand(2, 3, 16, 32, 32))
        >>> slow.shape, fast.shape
        (torch.Size([2, 2048, 1, 1, 1]), torch.Size([2, 256, 16, 1, 1]))
    """

    def __init__(
        self, *args, lateral_length: str = 'longer', **kwargs
    ) -> None:
        if lateral_length not in LATERAL_LENGTHS:
            raise ValueError(
                f'lateral_length={lateral_length!r} is unknown; choose one of '
                f'{list(LATERAL_LENGTHS)}'
            )
        self.lateral_length = lateral_length
        super().__init__(*args, **kwargs)
        self._lateral: Optional[Tensor] = None
        if self.pathways and self.slow_path.lateral:
            for name in (
                'conv1_lateral',
                *self.slow_path.lateral_connections,
            ):
                lateral = self.slow_path.get_submodule(name)
                if lateral_length == 'frames' and 'fast_path' in self.pathways:
                    lateral.register_forward_pre_hook(self._spread)
                lateral.register_forward_hook(self._remember_lateral)

    def _spread(self, module: nn.Module, args: tuple) -> Optional[Tensor]:
        (x,) = args
        fast = self.pathways['fast_path']
        if fast.layout_of(x) is None:  # before the layer
            return None
        return fast.spread(x, fast.layer.groups.index.shape[1])

    def _remember_lateral(
        self, module: nn.Module, args: tuple, x: Tensor
    ) -> None:
        self._lateral = x

    def forward(self, x: Tensor) -> Features:
        if not self.pathways or self._plain:
            return super().forward(x)
        try:
            with _Joins(self):
                return super().forward(x)
        finally:
            self._lateral = None

    def join(self, slow: Tensor, lateral: Tensor) -> Tuple[Tensor, Tensor]:
        """Aligns the slow pathway and a lateral map, clip by clip.

        Args:
            slow (Tensor): (N, C, T, H, W), or packed, (1, C, F, H, W).
            lateral (Tensor): The same with channels and frames of its own.

        Returns:
            tuple[Tensor]: Both, of equal length.
        """
        if self.lateral_length == 'frames':
            slow_path = self.pathways.get('slow_path')
            if slow_path is None or slow_path.layout_of(slow) is None:
                return slow, lateral
            # The magnitudes have their gradient from the slow pathway alone.
            return slow, merge_frames(lateral, slow_path.layer.groups)
        slow_layout, lateral_layout = (
            path.layout_of(x) if path is not None else None
            for path, x in (
                (self.pathways.get('slow_path'), slow),
                (self.pathways.get('fast_path'), lateral),
            )
        )
        if slow_layout is None and lateral_layout is None:
            return slow, lateral
        if lateral_layout is None:
            lateral_layout = _layout_of_batch(lateral)
            lateral = lateral.transpose(0, 1).flatten(1, 2)[None]
        if slow_layout is None:
            batch = _layout_of_batch(slow)
            lateral = lateral_layout.fit(lateral, batch.lengths)
            lateral = lateral[0].unflatten(1, (len(slow), -1))
            return slow, lateral.transpose(0, 1)
        lengths = slow_layout.lengths
        if self.lateral_length == 'longer':
            lengths = tuple(map(max, lengths, lateral_layout.lengths))
        if lengths != slow_layout.lengths:
            slow = slow_layout.fit(slow, lengths)
            self.pathways['slow_path'].start(Layout(lengths))
        return slow, lateral_layout.fit(lateral, lengths)


def _layout_of_batch(x: Tensor) -> Layout:
    return Layout([x.shape[2]] * len(x))


class _Joins(TorchFunctionMode):
    """Aligns what mmaction2's forward is about to concatenate.

    A lateral map joins the slow pathway by ``torch.cat`` in the middle of that
    forward, out of reach of any hook.
    """

    def __init__(self, backbone: ATFRResNet3dSlowFast) -> None:
        super().__init__()
        self.backbone = backbone

    def __torch_function__(self, func, types, args=(), kwargs=None):
        lateral = self.backbone._lateral
        if func is torch.cat and lateral is not None:
            tensors, *others = args
            if len(tensors) == 2 and tensors[1] is lateral:
                self.backbone._lateral = None
                args = self.backbone.join(*tensors), *others
        return func(*args, **(kwargs or {}))
