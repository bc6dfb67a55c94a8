"""SlowFast with adaptive temporal resolution."""

from typing import Dict, List, Tuple

import torch
import torch.nn.functional as F
from mmaction.models.backbones.resnet3d_slowfast import (
    ResNet3dPathway,
    ResNet3dSlowFast,
)
from mmaction.registry import MODELS
from torch import Tensor

from mmatfr.ragged import Layout
from mmatfr.sgs import check_choice, merge_frames

from .atfr import ATFR
from .pathway import Stages
from .probing import Features

__all__ = ['ATFRResNet3dSlowFast']

LATERAL_LENGTHS = ('longer', 'slow', 'frames')


@MODELS.register_module()
class ATFRResNet3dSlowFast(ATFR, ResNet3dSlowFast):
    """mmaction2's SlowFast with Similarity Guided Sampling.

    Takes the arguments of
    :class:`mmaction.models.backbones.resnet3d_slowfast.ResNet3dSlowFast` and
    those of :class:`ATFR`. Each pathway groups its frames separately, so a
    lateral map and the slow pathway may differ in length; they are aligned
    clip by clip.

    Args:
        *args: Positional arguments of the base class.
        lateral_length (str): 'longer' pads the shorter of the two with zero
            frames, half of them at the front, as in the authors' code. 'slow'
            pads or crops the lateral map to the slow pathway. 'frames' gives
            each frame of the fast pathway the map of its group before the
            lateral convolution, which then sees the original time steps; its
            maps are merged like the frames of the slow pathway. Defaults to
            'longer'.
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

    slow_path: ResNet3dPathway
    fast_path: ResNet3dPathway
    resample_rate: int
    speed_ratio: int

    def __init__(
        self, *args, lateral_length: str = 'longer', **kwargs
    ) -> None:
        check_choice('lateral_length', lateral_length, LATERAL_LENGTHS)
        self.lateral_length = lateral_length
        super().__init__(*args, **kwargs)

    def atfr_stages(self) -> Dict[str, Stages]:
        slow = _stages_of('slow_path', self.slow_path)
        fast = _stages_of('fast_path', self.fast_path)
        # With 'frames' the lateral modules see clips of equal length.
        if not self.slow_path.lateral or self.lateral_length == 'frames':
            return dict(slow_path=slow, fast_path=fast)
        laterals = ['conv1_lateral', *self.slow_path.lateral_connections]
        *joined, last = fast
        followed = [
            (stage, f'slow_path.{lateral}')
            for stage, lateral in zip(joined, laterals, strict=True)
        ]
        return dict(slow_path=slow, fast_path=[*followed, last])

    def forward_base(self, x: Tensor) -> Features:
        """Runs the forward of mmaction2's class, with aligned laterals."""
        if not self.pathways:
            return super().forward_base(x)
        slow_path, fast_path = self.slow_path, self.fast_path
        slow = slow_path.maxpool(
            slow_path.conv1(_every(self.resample_rate, x))
        )
        fast = fast_path.maxpool(
            fast_path.conv1(_every(self.resample_rate // self.speed_ratio, x))
        )
        if slow_path.lateral:
            slow = self._join(slow, fast, 'maxpool', 'conv1_lateral')
        *stages, last = slow_path.res_layers
        for i, stage in enumerate(stages):
            slow = getattr(slow_path, stage)(slow)
            fast = getattr(fast_path, stage)(fast)
            if slow_path.lateral:
                lateral = slow_path.lateral_connections[i]
                slow = self._join(slow, fast, stage, lateral)
        return getattr(slow_path, last)(slow), getattr(fast_path, last)(fast)

    @torch.compiler.disable
    def _join(
        self, slow: Tensor, fast: Tensor, stage: str, lateral: str
    ) -> Tensor:
        """Concatenates a lateral map to the slow pathway."""
        fast_path = self.pathways.get('fast_path')
        if (
            self.lateral_length == 'frames'
            and fast_path is not None
            and fast_path.running_clips is not None
        ):
            fast = fast_path.spread(fast, self._places[f'fast_path.{stage}'])
        return torch.cat(
            self.align(
                slow,
                getattr(self.slow_path, lateral)(fast),
                self._places[f'slow_path.{stage}'],
                self._places[f'slow_path.{lateral}'],
            ),
            dim=1,
        )

    def align(
        self,
        slow: Tensor,
        lateral: Tensor,
        slow_place: int,
        lateral_place: int,
    ) -> Tuple[Tensor, Tensor]:
        """Aligns the slow pathway and a lateral map, clip by clip.

        Args:
            slow (Tensor): (N, C, T, H, W), or packed, (1, C, F, H, W).
            lateral (Tensor): The lateral map, in the same layout, with other
                numbers of channels and frames.
            slow_place (int): Place of the slow pathway.
            lateral_place (int): Place of the lateral map.

        Returns:
            tuple[Tensor]: Both, of equal length.
        """
        slow_path = self.pathways.get('slow_path')
        fast_path = self.pathways.get('fast_path')
        if self.lateral_length == 'frames':
            clips = None if slow_path is None else slow_path.running_clips
            if clips is None:
                return slow, lateral
            # The magnitudes get their gradient from the slow pathway only.
            return slow, merge_frames(lateral, clips.groups)
        slow_layout = lateral_layout = None
        if slow_path is not None:
            slow_layout = slow_path.layout_of(slow, slow_place)
        if fast_path is not None:
            lateral_layout = fast_path.layout_of(lateral, lateral_place)
        if slow_layout is None and lateral_layout is None:
            return slow, lateral
        if lateral_layout is None:
            lateral_layout = _layout_of_batch(lateral)
            lateral = lateral.transpose(0, 1).flatten(1, 2)[None]
        if slow_path is None or slow_layout is None:
            batch = _layout_of_batch(slow)
            lateral = lateral_layout.fit(lateral, batch.lengths)
            lateral = lateral[0].unflatten(1, (len(slow), -1))
            return slow, lateral.transpose(0, 1)
        lengths = slow_layout.lengths
        if self.lateral_length == 'longer':
            lengths = tuple(map(max, lengths, lateral_layout.lengths))
        slow = slow_path.fit(slow, slow_place, lengths)
        return slow, lateral_layout.fit(lateral, lengths)


def _stages_of(name: str, path: ResNet3dPathway) -> List[str]:
    return [f'{name}.{stage}' for stage in ('maxpool', *path.res_layers)]


def _every(step: int, x: Tensor) -> Tensor:
    """Takes every ``step``-th frame, as mmaction2 does."""
    return F.interpolate(x, mode='nearest', scale_factor=(1 / step, 1.0, 1.0))


def _layout_of_batch(x: Tensor) -> Layout:
    return Layout([x.shape[2]] * len(x))
