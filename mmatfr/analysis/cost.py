"""What a clip costs: multiply-adds as a function of its length B'."""

import copy
from functools import partial
from typing import Dict, Sequence, Tuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmatfr.sgs import SGS, equal_groups

__all__ = ['CostModel']


class CostModel:
    """Multiply-adds that a recognizer spends on one clip.

    Counted by ``torch.utils.flop_counter`` on a copy of the recognizer on the
    meta device, with each clip alone, head and sampling included; once for
    every shape and length, a look-up from then on.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2, with sampling in
            its backbone or without.

    Examples:
        >>> from mmaction.registry import MODELS
        >>> from mmengine.registry import init_default_scope
        >>> from mmatfr.analysis import CostModel
        >>> init_default_scope('mmaction')
        >>> recognizer = MODELS.build(dict(
        ...     type='Recognizer3D',
        ...     backbone=dict(type='ATFRX3D', gamma_b=2.25, gamma_d=2.2,
        ...                   sgs=dict(stage=1)),
        ...     cls_head=dict(type='X3DHead', in_channels=432,
        ...                   num_classes=400)))
        >>> cost = CostModel(recognizer)
        >>> cost.gflops((3, 13, 160, 160), length=5) \\
        ...     < cost.gflops((3, 13, 160, 160), length=13)
        True
    """

    def __init__(self, recognizer: nn.Module) -> None:
        with torch.no_grad():
            self._recognizer = copy.deepcopy(recognizer).to('meta').eval()
        self._layers = [
            m for m in self._recognizer.modules() if isinstance(m, SGS)
        ]
        for module in self._recognizer.modules():
            if hasattr(module, 'execution'):
                # Packed clips carry fill between them, clips alone do not.
                module.execution = 'sequential'
        self._counted: Dict[tuple, float] = {}

    def gflops(self, clip_shape: Sequence[int], length: int) -> float:
        """Giga multiply-adds of one clip.

        Args:
            clip_shape (Sequence[int]): (C, T, H, W).
            length (int): Temporal resolution B' of the clip. Without sampling
                it makes no difference.

        Returns:
            float: GFLOPs as in the literature, one multiply-add counted once.
        """
        key = tuple(clip_shape), int(length)
        if key not in self._counted:
            self._counted[key] = self._count(*key)
        return self._counted[key]

    def _count(self, clip_shape: Tuple[int, ...], length: int) -> float:
        for layer in self._layers:
            layer.binning = partial(equal_groups, length=length)
        views = torch.empty(1, 1, *clip_shape, device='meta')
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            self._recognizer(views, mode='tensor', stage='head')
        return counter.get_total_flops() / 2e9
