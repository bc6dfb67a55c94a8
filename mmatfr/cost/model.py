"""Cost of a clip: multiply-adds as a function of its lengths B'."""

import copy
from functools import partial
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from mmatfr.models import ATFR
from mmatfr.models.networks import backbone_of
from mmatfr.models.segments import frames_of
from mmatfr.sgs import Lengths, as_lengths, equal_groups, sgs_layers

__all__ = ['CostModel', 'Operation', 'lengths_at', 'merge_stages']


class Operation(NamedTuple):
    """A convolution or a matrix product.

    Attributes:
        gflops (float): Giga multiply-adds.
        numbers (int): Number of values that it reads and writes: maps, weights
            and result, each once.
    """

    gflops: float
    numbers: int


class _Count(NamedTuple):
    """The counted cost of one clip.

    Attributes:
        gflops (float): Giga multiply-adds.
        stages (dict[str, float]): The same by stage.
        num_frames (tuple[int]): T of each layer.
    """

    gflops: float
    stages: Dict[str, float]
    num_frames: Tuple[int, ...]


class CostModel:
    """Multiply-adds that a network spends on one clip.

    They are counted by ``torch.utils.flop_counter`` on a copy of the
    recognizer on the meta device, for a single clip, including sampling and
    head. Each combination of shape and lengths is counted once and cached.

    Args:
        recognizer (nn.Module): A 2D or 3D recognizer of mmaction2, or a 3D
            network with its head, with any number of sampling layers, or none.

    Attributes:
        layers (tuple[str]): Names of the sampling layers, in the order of
            ``named_modules``; the lengths of a clip follow this order.

    Examples:
        >>> from mmaction.registry import MODELS
        >>> from mmengine.registry import init_default_scope
        >>> from mmatfr.cost import CostModel
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
        >>> list(cost.stages((3, 13, 160, 160), length=5))[:3]
        ['backbone.conv1_s', 'backbone.conv1_t', 'backbone.layer1']
    """

    def __init__(self, recognizer: nn.Module) -> None:
        with torch.no_grad():
            self._recognizer = copy.deepcopy(recognizer).to('meta').eval()
        self._sgs = sgs_layers(self._recognizer)
        self.layers: Tuple[str, ...] = tuple(self._sgs)
        for module in self._recognizer.modules():
            if isinstance(module, ATFR):
                # Packed clips have fill between them; a single clip has none.
                module.execution = 'sequential'
            if isinstance(module, _BatchNorm):
                # Not counted, and half of the time on the meta device.
                vars(module)['forward'] = _unchanged
        self._counted: Dict[tuple, _Count] = {}

    def gflops(
        self, clip_shape: Sequence[int], length: Optional[Lengths] = None
    ) -> float:
        """Giga multiply-adds of one clip.

        Args:
            clip_shape (Sequence[int]): (C, T, H, W).
            length (int | Sequence[int], optional): Temporal resolution B' of
                the clip, one per layer; may be an integer if there is one
                layer. Ignored without sampling. Defaults to None, the number
                of frames that the layer sees.

        Returns:
            float: GFLOPs as in the literature; a multiply-add counts as one
            operation.

        Raises:
            ValueError: If a length is not from 1 to the number of frames.
        """
        return self._look_up(clip_shape, length).gflops

    def stages(
        self, clip_shape: Sequence[int], length: Optional[Lengths] = None
    ) -> Dict[str, float]:
        """Giga multiply-adds of each stage, with ``gflops`` as their sum.

        Args:
            clip_shape (Sequence[int]): (C, T, H, W).
            length (int | Sequence[int], optional): As for :meth:`gflops`.

        Returns:
            dict[str, float]: The cost by name of the module, in the order of
            the recognizer: the stages of the backbone (for SlowFast those of
            ``backbone.slow_path`` and ``backbone.fast_path``), the sampling
            layers, neck and head.
        """
        return dict(self._look_up(clip_shape, length).stages)

    def operations(
        self, clip_shape: Sequence[int], length: Optional[Lengths] = None
    ) -> List[Operation]:
        """Lists the operations on a clip.

        Args:
            clip_shape (Sequence[int]): (C, T, H, W).
            length (int | Sequence[int], optional): As for :meth:`gflops`.

        Returns:
            list[Operation]: Convolutions and matrix products in the order of
            execution; their sum is ``gflops``.
        """
        if length is None:
            length = self.num_frames(clip_shape)
        self._set_lengths(as_lengths(length, self.layers))
        with torch.no_grad(), _OperationLister() as lister:
            self._run(tuple(clip_shape))
        return lister.operations

    def num_frames(self, clip_shape: Sequence[int]) -> Tuple[int, ...]:
        """Returns the number of frames T of each layer, the maximum of B'.

        Args:
            clip_shape (Sequence[int]): (C, T, H, W).

        Returns:
            tuple[int]: One number per layer; (T,) without sampling.
        """
        if not self.layers:
            return (clip_shape[1],)
        return self._look_up(clip_shape, (1,) * len(self.layers)).num_frames

    def _look_up(
        self, clip_shape: Sequence[int], length: Optional[Lengths]
    ) -> _Count:
        if length is None:
            length = self.num_frames(clip_shape)
        key = tuple(clip_shape), as_lengths(length, self.layers)
        if key not in self._counted:
            self._counted[key] = self._count(*key)
        return self._counted[key]

    def _count(
        self, clip_shape: Tuple[int, ...], lengths: Tuple[int, ...]
    ) -> _Count:
        self._set_lengths(lengths)
        counter = FlopCounterMode(display=False)
        # In a neck, or before the last activation of a stage, a sampling layer
        # runs inside another module.
        around: Dict[str, frozenset] = {}

        def record_parents(name: str) -> None:
            around[name] = frozenset(counter.mod_tracker.parents)

        handles = [
            layer.register_forward_pre_hook(
                lambda module, args, name=name: record_parents(name)
            )
            for name, layer in self._sgs.items()
        ]
        try:
            with torch.no_grad(), counter:
                self._run(clip_shape)
        finally:
            for handle in handles:
                handle.remove()
        root = type(self._recognizer).__name__
        counts = {
            name: sum(by_operation.values()) / 2e9
            for name, by_operation in counter.get_flop_counts().items()
        }
        total = counts.get('Global', 0.0)
        stages = {}
        for name in self._stage_names():
            own = counts.get(f'{root}.{name}', 0.0) - sum(
                counts.get(f'{root}.{layer}', 0.0)
                for layer in self.layers
                if layer != name and f'{root}.{name}' in around[layer]
            )
            if own > 0:
                stages[name] = own
        other = total - sum(stages.values())
        if other > 1e-6 * total:
            stages['other'] = other
        return _Count(
            total,
            stages,
            tuple(layer.groups.index.shape[1] for layer in self._sgs.values()),
        )

    def _set_lengths(self, lengths: Tuple[int, ...]) -> None:
        for layer, length in zip(self._sgs.values(), lengths, strict=True):
            layer.binning = partial(equal_groups, length=length)

    def _run(self, clip_shape: Tuple[int, ...]) -> None:
        views = torch.empty(1, *clip_shape, device='meta')
        if backbone_of(self._recognizer) is self._recognizer:
            self._recognizer(views)
            return
        is_2d = frames_of(self._recognizer) is not None
        views = views.transpose(1, 2) if is_2d else views.unsqueeze(1)
        self._recognizer(views, mode='tensor', stage='head')

    def _stage_names(self) -> Iterable[str]:
        names: List[str] = []
        for name, child in self._recognizer.named_children():
            if name != 'backbone':
                names.append(name)
                continue
            for part, module in child.named_children():
                if part.endswith('_path'):
                    names += [
                        f'{name}.{part}.{stage}'
                        for stage, _ in module.named_children()
                    ]
                else:
                    names.append(f'{name}.{part}')
        return dict.fromkeys([*names, *self.layers])


def _unchanged(x: Tensor) -> Tensor:
    return x


class _OperationLister(TorchDispatchMode):
    """Lists the operations that run in this context."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: List[Operation] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.operations.append(
                Operation(
                    count(*args, **kwargs, out_val=out) / 2e9,
                    out.numel()
                    + sum(x.numel() for x in args if isinstance(x, Tensor)),
                )
            )
        return out


def lengths_at(
    num_frames: Sequence[int],
) -> List[Tuple[float, Tuple[int, ...]]]:
    """Lists the resolutions that several layers can have in common.

    Args:
        num_frames (Sequence[int]): Number of frames that each layer sees.

    Returns:
        list[tuple]: B'/T and the lengths of the layers, in ascending order.

    Examples:
        >>> from mmatfr.cost import lengths_at
        >>> lengths_at([2, 4])[:2]
        [(0.25, (1, 1)), (0.5, (1, 2))]
    """
    most = max(num_frames)
    return [
        (
            step / most,
            tuple(max(1, round(n * step / most)) for n in num_frames),
        )
        for step in range(1, most + 1)
    ]


def merge_stages(stages: Dict[str, float]) -> Dict[str, float]:
    """Sums the modules before the stages of each pathway as its stem."""
    merged: Dict[str, float] = {}
    for name, cost in stages.items():
        path, _, part = name.rpartition('.')
        early = path.startswith('backbone') and part.startswith(
            ('conv1', 'maxpool')
        )
        key = f'{path}.stem' if early and 'lateral' not in part else name
        merged[key] = merged.get(key, 0.0) + cost
    return {
        name.removeprefix('backbone.'): cost for name, cost in merged.items()
    }
