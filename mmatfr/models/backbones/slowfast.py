"""SlowFast with adaptive temporal resolution."""

from typing import Dict, Optional, Tuple

import torch
from mmaction.models.backbones.resnet3d_slowfast import ResNet3dSlowFast
from mmaction.registry import MODELS
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mmatfr.ragged import Layout, take_frames
from mmatfr.sgs import Groups, merge_frames

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
            adds each frame of the lateral map to the group of the slow
            pathway that is nearest in time, as their mean where several come
            together, and gives a group left without one that nearest to it.
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
                    "lateral_alignment='time' reads the times of the groups, "
                    f'but {name} has temporal_strides={strides!r}; set all of '
                    "them to 1 or lateral_alignment='longer'"
                )
        self.lateral_alignment = lateral_alignment
        self._lateral: Optional[Tensor] = None
        if self.pathways and self.slow_path.lateral:
            for name in (
                'conv1_lateral',
                *self.slow_path.lateral_connections,
            ):
                self.slow_path.get_submodule(name).register_forward_hook(
                    self._remember_lateral
                )

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
        layout = slow_layout or _layout_of_batch(slow)
        if self.lateral_alignment == 'time':
            lateral = self._merge(lateral, layout, lateral_layout)
        else:
            lengths = layout.lengths
            if slow_layout is not None and self.lateral_alignment == 'longer':
                lengths = tuple(map(max, lengths, lateral_layout.lengths))
            if lengths != layout.lengths:
                slow = layout.fit(slow, lengths)
                self.pathways['slow_path'].start(Layout(lengths))
            lateral = lateral_layout.fit(lateral, lengths)
        if slow_layout is None:
            lateral = lateral[0].unflatten(1, (len(slow), -1)).transpose(0, 1)
        return slow, lateral

    def _merge(
        self, lateral: Tensor, layout: Layout, lateral_layout: Layout
    ) -> Tensor:
        """Gives each frame of the slow pathway those of its time."""
        device = lateral.device
        slow_times = self._times('slow_path', layout, 1, device)
        times = self._times(
            'fast_path', lateral_layout, self.speed_ratio, device
        )
        others = layout.clip_of_frame(device)[
            :, None
        ] != lateral_layout.clip_of_frame(device)
        distance = (slow_times[:, None] - times).abs()
        distance.masked_fill_(others, float('inf'))
        place = distance.argmin(dim=0)
        count = torch.zeros_like(slow_times, dtype=torch.int64)
        count.index_add_(0, place, torch.ones_like(place))
        # Without a sync: the nearest one for every frame, at weight 0 where
        # it is not needed.
        taken = [torch.arange(len(place), device=device), distance.argmin(1)]
        index = [place, torch.arange(len(count), device=device)]
        weight = [1 / count[place], count == 0]
        return merge_frames(
            take_frames(lateral, torch.cat(taken)),
            Groups(
                torch.cat(index)[None],
                torch.cat([w.float() for w in weight])[None],
                torch.tensor([len(count)]),
            ),
        )

    def _times(
        self, name: str, layout: Layout, step: int, device: torch.device
    ) -> Tensor:
        """Times of the maps at every ``step``-th place of a clip, (F,)."""
        clips = layout.clip_of_frame(device)
        first, last = layout.edges(device)
        places = torch.arange(layout.num_frames, device=device) - first[clips]
        path = self.pathways.get(name)
        if path is None or not path.has_sampled:
            return places / (last - first + 1)[clips]
        lengths = path.lengths.to(device)
        first = lengths.cumsum(0) - lengths
        return path.group_times()[first[clips] + places * step]


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
