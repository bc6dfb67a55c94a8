"""Recording what each clip that a recognizer sees costs."""

from typing import List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn

from .cost import CostModel

__all__ = ['ClipRecorder', 'ClipRecords']


class ClipRecords(NamedTuple):
    """What is known of the clips of one or more forwards, in their order.

    Attributes:
        lengths (Tensor): Temporal resolution B' of each clip, (N,), int64;
            T without sampling.
        num_frames (int): T, what B' is out of.
        gflops (Tensor): Giga multiply-adds of each clip, (N,).
    """

    lengths: Tensor
    num_frames: int
    gflops: Tensor


class ClipRecorder:
    """Watches the backbone of a recognizer.

    Args:
        recognizer (nn.Module): A 3D recognizer of mmaction2.

    Examples:
        >>> import torch
        >>> from mmaction.registry import MODELS
        >>> from mmengine.registry import init_default_scope
        >>> from mmatfr.analysis import ClipRecorder
        >>> init_default_scope('mmaction')
        >>> recognizer = MODELS.build(dict(
        ...     type='Recognizer3D',
        ...     backbone=dict(type='ATFRX3D', gamma_b=2.25, sgs=dict(stage=1)),
        ...     cls_head=dict(type='X3DHead', in_channels=432,
        ...                   num_classes=12))).eval()
        >>> with ClipRecorder(recognizer) as recorder:
        ...     _ = recognizer(torch.rand(2, 1, 3, 8, 32, 32), mode='tensor')
        ...     records = recorder.take()
        >>> records.lengths.shape, records.num_frames
        (torch.Size([2]), 8)
    """

    def __init__(self, recognizer: nn.Module) -> None:
        self._backbone = recognizer.backbone
        self._cost = CostModel(recognizer)
        self._seen: List[Tuple[Optional[Tensor], torch.Size]] = []
        self._handle = None

    def __enter__(self) -> 'ClipRecorder':
        self._handle = self._backbone.register_forward_hook(self._see)
        return self

    def __exit__(self, *args) -> None:
        self._handle.remove()
        self._seen.clear()

    def _see(self, backbone: nn.Module, args: tuple, out) -> None:
        self._seen.append((getattr(backbone, 'lengths', None), args[0].shape))

    def take(self) -> ClipRecords:
        """Returns what was seen since the last call, and forgets it."""
        lengths, gflops, num_frames = [], [], 0
        for seen, (num_clips, *clip_shape) in self._seen:
            num_frames = clip_shape[1]
            seen = [num_frames] * num_clips if seen is None else seen.tolist()
            lengths += seen
            gflops += [self._cost.gflops(clip_shape, n) for n in seen]
        self._seen.clear()
        return ClipRecords(
            torch.tensor(lengths, dtype=torch.long),
            num_frames,
            torch.tensor(gflops, dtype=torch.float64),
        )
