"""Records the cost of each clip that a recognizer processes."""

from typing import Dict, List, NamedTuple, Optional, Tuple, Union

import torch
from mmaction.models.recognizers import BaseRecognizer
from torch import Tensor, nn

from mmatfr.models.segments import frames_of
from mmatfr.sgs import SGS, Groups, join_groups, sgs_layers

from .model import CostModel

__all__ = ['ClipRecorder', 'ClipRecords']


class ClipRecords(NamedTuple):
    """Cost and temporal resolution of the clips of forwards, in order.

    Attributes:
        lengths (Tensor): Temporal resolution B' of each clip, int64; (N,), or
            (N, L) if L > 1 layers sample. T without sampling.
        num_frames (int | tuple[int]): T, the number of frames that the layer
            sees; one number per layer if L > 1 layers sample.
        gflops (Tensor): Giga multiply-adds of each clip, (N,).
        groups (tuple[Tensor]): For each layer that samples, the group of each
            frame, (N, T), numbered through the N clips.
        clip_frames (int): Number of frames of a clip in the input; 0 without
            clips.
    """

    lengths: Tensor
    num_frames: Union[int, Tuple[int, ...]]
    gflops: Tensor
    groups: Tuple[Tensor, ...]
    clip_frames: int

    @property
    def resolution(self) -> Tensor:
        """Returns B'/T of each clip, the mean over the layers, (N,)."""
        share = self.lengths / torch.as_tensor(self.num_frames)
        return share.flatten(1).mean(1) if share.dim() > 1 else share


class ClipRecorder:
    """Records the clips of a recognizer; each view is a clip.

    Args:
        recognizer (BaseRecognizer): A 2D or 3D recognizer of mmaction2, with
            any number of sampling layers, or none.
        cost (CostModel, optional): Cost model of the recognizer. Defaults to
            None, which creates one.

    Attributes:
        layers (tuple[str]): Names of the sampling layers, in the order of the
            lengths.

    Examples:
        >>> import torch
        >>> from mmaction.registry import MODELS
        >>> from mmengine.registry import init_default_scope
        >>> from mmatfr.cost import ClipRecorder
        >>> init_default_scope('mmaction')
        >>> recognizer = MODELS.build(dict(
        ...     type='Recognizer3D',
        ...     backbone=dict(type='ATFRX3D', gamma_b=2.25, sgs=dict(stage=1)),
        ...     cls_head=dict(type='X3DHead', in_channels=432,
        ...                   num_classes=12))).eval()
        >>> with ClipRecorder(recognizer) as recorder:
        ...     _ = recognizer(torch.rand(2, 1, 3, 8, 32, 32), mode='tensor')
        ...     records = recorder.pop_records()
        >>> records.lengths.shape, records.num_frames
        (torch.Size([2]), 8)
    """

    def __init__(
        self, recognizer: BaseRecognizer, cost: Optional[CostModel] = None
    ) -> None:
        self._cost = CostModel(recognizer) if cost is None else cost
        self._backbone = recognizer.backbone
        self._frames = frames_of(recognizer)
        self._sgs = sgs_layers(recognizer)
        self.layers: Tuple[str, ...] = tuple(self._sgs)
        self._shapes: List[Tuple[int, ...]] = []
        self._groups: Dict[SGS, List[Groups]] = {}
        self._handles: list = []

    def __enter__(self) -> 'ClipRecorder':
        self.drop_records()
        self._handles = [
            self._backbone.register_forward_hook(self._record_shapes),
            *(
                layer.register_forward_hook(self._record_groups)
                for layer in self._sgs.values()
            ),
        ]
        return self

    def __exit__(self, *args) -> None:
        for handle in self._handles:
            handle.remove()
        self.drop_records()

    def _record_shapes(self, backbone: nn.Module, args: tuple, out) -> None:
        x = args[0]
        if self._frames is None:
            num_clips, *shape = x.shape
        else:  # (N T, C, H, W)
            num_clips = len(x) // self._frames
            shape = x.shape[1], self._frames, *x.shape[2:]
        self._shapes += [tuple(shape)] * num_clips

    def _record_groups(self, layer: SGS, args: tuple, out) -> None:
        self._groups[layer].append(layer.groups)

    def drop_records(self) -> None:
        """Clears the records since the last call."""
        self._shapes = []
        self._groups = {layer: [] for layer in self._sgs.values()}

    def pop_records(self) -> ClipRecords:
        """Returns the records since the last call and clears them."""
        shapes, seen = self._shapes, list(self._groups.values())
        self.drop_records()
        joined = [join_groups(of) for of in seen if shapes]
        num_frames = tuple(groups.index.shape[1] for groups in joined)
        if not seen:
            lengths = torch.tensor([[shape[1]] for shape in shapes])
            num_frames = tuple(shape[1] for shape in shapes[-1:])
        elif shapes:
            lengths = torch.stack([groups.lengths for groups in joined], dim=1)
        else:
            lengths = torch.empty(0, len(seen))
        gflops = [
            self._cost.gflops(shape, clip)
            for shape, clip in zip(shapes, lengths.tolist(), strict=True)
        ]
        return ClipRecords(
            lengths.long().flatten() if len(seen) < 2 else lengths.long(),
            num_frames if len(seen) > 1 else sum(num_frames),
            torch.tensor(gflops, dtype=torch.float64),
            tuple(groups.index for groups in joined),
            shapes[-1][1] if shapes else 0,
        )
