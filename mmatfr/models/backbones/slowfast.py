"""SlowFast with adaptive temporal resolution."""

from typing import Dict, Optional, Tuple

import torch
from mmaction.models.backbones.resnet3d_slowfast import ResNet3dSlowFast
from mmaction.registry import MODELS
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mmatfr.ragged import Layout, take_frames
from mmatfr.sgs import merge_frames

from .atfr import Features, atfr
from .pathway import Stages

__all__ = ['ATFRResNet3dSlowFast']

LATERAL_ALIGNMENTS = ('longer', 'slow', 'time')


def _stages(backbone: ResNet3dSlowFast) -> Dict[str, Stages]:
    slow, fast = (
        [f'{name}.{stage}' for stage in ('maxpool', *path.res_layers)]
        for name, path in (
            ('slow_path', backbone.slow_path),
            ('fast_path', backbone.fast_path),
        )
    )
    if backbone.slow_path.lateral:
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
        lateral_alignment (str): 'longer' pads the shorter of the two with
            zero frames, half of them in front, as the authors' code does;
            'slow' pads or crops the lateral map to the slow pathway; 'time'
            takes the lateral maps around those groups of the fast pathway
            that hold the frames of the slow one, and groups them as these.
            Defaults to 'longer'.
        **kwargs: Keyword arguments of the base class and of :class:`ATFR`.

    Raises:
        ValueError: If ``lateral_alignment`` is unknown, or 'time' and a
            pathway strides in time after its stem.

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
        self, *args, lateral_alignment: str = 'longer', **kwargs
    ) -> None:
        if lateral_alignment not in LATERAL_ALIGNMENTS:
            raise ValueError(
                f'lateral_alignment={lateral_alignment!r} is unknown; choose '
                f'one of {list(LATERAL_ALIGNMENTS)}'
            )
        super().__init__(*args, **kwargs)
        for name in ('slow_path', 'fast_path'):
            strides = self.get_submodule(name).temporal_strides
            if lateral_alignment == 'time' and set(strides) != {1}:
                raise ValueError(
                    "lateral_alignment='time' needs all frames of a pathway, "
                    f'but {name} has temporal_strides={strides!r}; set all of '
                    "them to 1 or lateral_alignment='longer'"
                )
        self.lateral_alignment = lateral_alignment
        # Around any group a lateral map may be wanted.
        self._strided_laterals = (
            lateral_alignment == 'time' and 'fast_path' in self.pathways
        )
        self._lateral: Optional[Tensor] = None
        if self.pathways and self.slow_path.lateral:
            for name in (
                'conv1_lateral',
                *self.slow_path.lateral_connections,
            ):
                lateral = self.slow_path.get_submodule(name)
                if self._strided_laterals:
                    lateral.conv.stride = (1, *lateral.conv.stride[1:])
                lateral.register_forward_hook(self._remember_lateral)

    def _remember_lateral(
        self, module: nn.Module, args: tuple, x: Tensor
    ) -> Tensor:
        self._lateral = self._stride(x) if self._strided_laterals else x
        return self._lateral

    def _stride(self, x: Tensor) -> Tensor:
        """Takes the lateral maps at the times of the slow frames.

        Args:
            x (Tensor): One for each frame of the fast pathway, or packed, one
                for each group.

        Returns:
            Tensor: (N, C, T / speed_ratio, H, W).
        """
        fast = self.pathways['fast_path']
        if not fast.has_sampled:
            return x[:, :, :: self.speed_ratio]
        index = fast.layer.groups.index[:, :: self.speed_ratio]
        frames = take_frames(x, index.flatten())[0]
        return frames.unflatten(1, index.shape).transpose(0, 1)

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
        if self.lateral_alignment == 'time':
            path = self.pathways.get('slow_path')
            if path is not None and path.has_sampled:
                lateral = merge_frames(lateral, path.layer.groups)
            return slow, lateral
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
        if self.lateral_alignment == 'longer':
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
