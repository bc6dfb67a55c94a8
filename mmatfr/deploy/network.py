"""An adaptive recognizer as a network of one clip, fit for export.

For one clip, an adaptive network is a plain one on a clip of B' frames behind
the one place that decides how many: mmaction2's own modules, split at the
sampled stage. Nothing of the ragged execution is in it.
"""

import copy
from contextlib import ExitStack, contextmanager
from typing import (
    Any,
    Dict,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
)

import torch
import torch.nn.functional as F
from mmaction.models.backbones.resnet3d_slowfast import ResNet3dSlowFast
from mmaction.models.backbones.resnet_tsm import NL3DWrapper, TemporalShift
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.models.recognizers import Recognizer2D, Recognizer3D
from mmengine.config import ConfigDict
from torch import Tensor, nn
from torch.nn.modules.utils import _triple

from mmatfr.apis import build_recognizer
from mmatfr.models.backbones.atfr import ATFR
from mmatfr.models.backbones.pathway import Pathway
from mmatfr.sgs import SGS, get_num_bins, group_frames

from .grouping import ClipGroups, group_clip

__all__ = ['ClipNetwork']

# Arguments of the adaptive backbones that mmaction2's classes do not have.
_ADAPTIVE = ('sgs', 'readout', 'execution', 'channels_last', 'lateral_length')
# Height and width of the frames that numbers of frames are read from.
_PROBE_SIZE = (64, 64)


class ClipNetwork(nn.Module):
    """A recognizer of one clip: frames in, scores and groups out.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2 in evaluation mode,
            with or without sampling in its backbone.
        model (dict): The model of its config.
        num_frames (int): Number of frames T of a clip.

    Attributes:
        pathways (list[str]): Names of the pathways that sample; '' is that of
            a backbone that has one.
        num_bins (list[int]): Their numbers of bins B.
        lengths (list[int]): Their numbers of frames before sampling.

    Raises:
        ValueError: If a part of the recognizer cannot be exported.
    """

    def __init__(
        self, recognizer: nn.Module, model: Dict[str, Any], num_frames: int
    ) -> None:
        super().__init__()
        _check_parts(recognizer)
        self.num_frames = num_frames
        self.is_2d = isinstance(recognizer, Recognizer2D)
        plain = _build_plain(recognizer, model)
        self.normalize = _Normalize(recognizer.data_preprocessor)
        self.backbone = plain.backbone
        self.head = plain.cls_head
        adaptive = recognizer.backbone
        self.readout = getattr(adaptive, 'readout', 'mean')
        self.lateral_length = getattr(adaptive, 'lateral_length', 'longer')
        self.num_outputs = self._outputs_without_sampling()
        for name, module in [*self.backbone.named_modules()]:
            if isinstance(module, TemporalShift):
                _replace(self.backbone, name, _Shift(module))
            elif isinstance(module, NL3DWrapper):
                _replace(self.backbone, name, _NonLocal(module))
        self.samplers: Dict[str, _Sampler] = {}
        if getattr(adaptive, 'pathways', None):
            options = model['backbone']['sgs']
            for name, path in adaptive.pathways.items():
                own = options.get(name, options)
                self._insert(
                    recognizer, path, own.get('pre_activation', False)
                )
        self.layers = nn.ModuleList(
            sampler.layer for sampler in self.samplers.values()
        )
        self.pathways = list(self.samplers)
        self.lengths = self._lengths_without_sampling()
        numbers = get_num_bins(recognizer) if self.samplers else {}
        self.num_bins = [
            length if number is None else number
            for number, length in zip(numbers.values(), self.lengths)
        ]

    def forward(
        self, frames: Tensor, num_bins: Optional[Tensor] = None
    ) -> Tuple[Tensor, ...]:
        """Recognizes one clip.

        Args:
            frames (Tensor): The clip, (T, H, W, 3), uint8.
            num_bins (Tensor, optional): Number of bins B of each of the P
                pathways that sample, (P,), int64. None where none does.

        Returns:
            tuple[Tensor]: Scores, (1, K). With sampling also B' of each
            pathway, (P,), int64, and for each pathway the group of every
            frame, (T,), int64.
        """
        scores, groups = self._run(frames, num_bins)
        if not self.samplers:
            return (scores,)
        return (
            scores,
            torch.stack([groups[name].length for name in self.pathways]),
            *(groups[name].index for name in self.pathways),
        )

    @torch.no_grad()
    def stable_lengths(
        self, frames: Tensor, numbers: Sequence[int], rounding: float
    ) -> List[Dict[int, int]]:
        """Finds the B' of a clip that do not hang on rounding.

        Args:
            frames (Tensor): The clip, (T, H, W, 3), uint8.
            numbers (Sequence[int]): Numbers of bins to try.
            rounding (float): By how much magnitudes may change, relative to
                the largest.

        Returns:
            list[dict[int, int]]: For each pathway, a number of bins by the B'
            that comes of it.
        """
        _, groups = self._run(frames, torch.tensor(self.num_bins))
        generator = torch.Generator().manual_seed(0)
        found = []
        for name in self.pathways:
            magnitude = groups[name].magnitude
            noise = torch.rand(8, len(magnitude), generator=generator) * 2 - 1
            noise = noise * rounding * magnitude.max()
            others = (magnitude + noise).clamp_min(0)
            magnitudes = torch.cat([magnitude[None], others])
            options = self.samplers[name].options
            found.append({})
            for number in numbers:
                made = group_frames(magnitudes, number, **options)
                start = made.lengths.cumsum(0) - made.lengths
                index = made.index - start[:, None]
                if bool((index == index[0]).all()):
                    found[-1].setdefault(int(made.lengths[0]), number)
        return found

    def _run(
        self, frames: Tensor, num_bins: Optional[Tensor]
    ) -> Tuple[Tensor, Dict[str, '_Groups']]:
        x = self.normalize(frames)
        # A transposition alone, so that an engine which holds the channels
        # last takes the frames as they are.
        if self.is_2d:
            x = x.permute(0, 3, 1, 2)
        else:
            x = x[None].permute(0, 4, 1, 2, 3)
        with self._sampling(num_bins) as groups:
            if isinstance(self.backbone, ResNet3dSlowFast):
                x = self._run_slowfast(x, groups)
            else:
                x = self._read_out(self.backbone(x), groups.get(''), 0)
        if self.is_2d:
            scores = self.head(x, num_segs=self.num_frames)
        else:
            scores = self.head(x)
        return scores, groups

    def _insert(
        self,
        recognizer: nn.Module,
        pathway: Pathway,
        before_activation: bool,
    ) -> None:
        layer_name = '.'.join(filter(None, ['backbone', pathway.name, 'sgs']))
        layer = copy.deepcopy(recognizer.get_submodule(layer_name))
        if getattr(layer.binning, 'func', None) is not group_frames:
            raise ValueError(
                f'{layer_name} groups frames by {layer.binning!r}, which has '
                'no form for export; use the binning of the layer'
            )
        (name, *after), *later = pathway.stages[pathway.stage :]
        module = self.backbone.get_submodule(name)
        if before_activation:
            block = [*module.children()][-1]
            module = getattr(block, 'net', block).relu
        self.samplers[pathway.name] = _Sampler(
            layer, self.is_2d, module, before_activation
        )
        for name in (*after, *sum(later, ())):
            _fit_short_clips(self.backbone, name)

    @contextmanager
    def _sampling(
        self, num_bins: Optional[Tensor]
    ) -> Iterator[Dict[str, '_Groups']]:
        """Samples within; the groups by pathway, as soon as there are any."""
        groups: Dict[str, _Groups] = {}
        with ExitStack() as stack:
            for place, (name, sampler) in enumerate(self.samplers.items()):
                stack.enter_context(
                    sampler.sampling(num_bins[place], groups, name)
                )
            yield groups

    def _run_slowfast(
        self, x: Tensor, groups: Dict[str, '_Groups']
    ) -> Tuple[Tensor, Tensor]:
        """The forward of mmaction2's SlowFast, lateral maps aligned."""
        slow_path = self.backbone.slow_path
        fast_path = self.backbone.fast_path
        rate = self.backbone.resample_rate
        slow = _take(x, rate)
        fast = _take(x, rate // self.backbone.speed_ratio)
        slow = slow_path.maxpool(slow_path.conv1(slow))
        fast = fast_path.maxpool(fast_path.conv1(fast))
        laterals = ['conv1_lateral', *slow_path.lateral_connections]
        for i, stage in enumerate(slow_path.res_layers):
            if slow_path.lateral:
                lateral = slow_path.get_submodule(laterals[i])
                slow = self._join(slow, fast, lateral, groups)
            slow = slow_path.get_submodule(stage)(slow)
            fast = fast_path.get_submodule(stage)(fast)
        return (
            self._read_out(slow, groups.get('slow_path'), 0),
            self._read_out(fast, groups.get('fast_path'), 1),
        )

    def _join(
        self,
        slow: Tensor,
        fast: Tensor,
        lateral: nn.Module,
        groups: Dict[str, '_Groups'],
    ) -> Tensor:
        slow_groups = groups.get('slow_path')
        fast_groups = groups.get('fast_path')
        if self.lateral_length == 'frames':
            if fast_groups is not None:
                fast = fast_groups.spread(fast, len(fast_groups.index))
            maps = lateral(fast)
            if slow_groups is not None:
                maps = slow_groups.merge(maps)
            return torch.cat((slow, maps), dim=1)
        maps = lateral(fast)
        if slow_groups is None and fast_groups is None:
            return torch.cat((slow, maps), dim=1)
        length = slow.shape[2]
        if slow_groups is not None and self.lateral_length == 'longer':
            length = torch.sym_max(length, maps.shape[2])
            slow = _fit(slow, length)
            slow_groups.joined = length
        return torch.cat((slow, _fit(maps, length)), dim=1)

    def _read_out(
        self, x: Tensor, groups: Optional['_Groups'], output: int
    ) -> Tensor:
        if groups is None:
            return x
        if self.readout == 'frames':
            return groups.spread(x, self.num_outputs[output])
        if self.is_2d:
            return x.mean(dim=0, keepdim=True).expand(
                self.num_frames, *x.shape[1:]
            )
        return x.mean(dim=2, keepdim=True)

    @torch.no_grad()
    def _lengths_without_sampling(self) -> List[int]:
        """Number of frames that each pathway samples from."""
        frames = torch.zeros(
            self.num_frames, *_PROBE_SIZE, 3, dtype=torch.uint8
        )
        bins = torch.ones(len(self.samplers), dtype=torch.long)
        _, groups = self._run(frames, bins)
        return [len(groups[name].index) for name in self.samplers]

    @torch.no_grad()
    def _outputs_without_sampling(self) -> List[int]:
        """Number of frames of each output of the plain backbone."""
        shape = (
            (self.num_frames, 3, *_PROBE_SIZE)
            if self.is_2d
            else (1, 3, self.num_frames, *_PROBE_SIZE)
        )
        outputs = self.backbone(torch.zeros(shape))
        if isinstance(outputs, Tensor):
            outputs = (outputs,)
        elif not isinstance(self.backbone, ResNet3dSlowFast):
            raise ValueError(
                f'the backbone returns {len(outputs)} feature maps; only one '
                'of one map and SlowFast can be exported: set out_indices to '
                'the last stage'
            )
        return [len(x) if self.is_2d else x.shape[2] for x in outputs]


class _Groups:
    """The groups of one clip, and what they do to maps.

    Attributes:
        magnitude (Tensor): Magnitude of each frame, (T,).
        index (Tensor): Group of each frame, (T,).
        length (Tensor): B', a scalar.
        joined (int): Number of frames after a join with another pathway.
    """

    def __init__(
        self, magnitude: Tensor, groups: ClipGroups, is_2d: bool
    ) -> None:
        self.magnitude = magnitude
        self.index = groups.index
        self.length = groups.length
        self.is_2d = is_2d
        num_groups = groups.length.item()
        torch._check(num_groups >= 1)
        torch._check(num_groups <= len(groups.index))
        self.num_groups = self.joined = num_groups
        rows = torch.arange(num_groups)[:, None]
        self.weight = (rows == groups.index).to(groups.weight) * groups.weight

    def merge(self, x: Tensor) -> Tensor:
        """Sums the weighted maps of each group, T frames to B'."""
        if self.is_2d:
            maps = self.weight @ x.flatten(1)
            return maps.reshape(-1, *x.shape[1:])
        maps = self.weight @ x.flatten(3)
        return maps.reshape(*x.shape[:2], -1, *x.shape[3:])

    def spread(self, x: Tensor, num_frames: int) -> Tensor:
        """Gives each of T' frames the map that stands for it."""
        axis = 0 if self.is_2d else 2
        frames = torch.arange(num_frames) * len(self.index) // num_frames
        place = self.index[frames] + (self.joined - self.num_groups) // 2
        return x.index_select(axis, place * x.shape[axis] // self.joined)


class _Sampler:
    """Samples at one place of a plain backbone.

    Args:
        layer (SGS): The layer.
        is_2d (bool): Whether maps are (T, C, H, W).
        module (nn.Module): Where it samples.
        before (bool): Whether what the module takes, not what it returns.
    """

    def __init__(
        self,
        layer: SGS,
        is_2d: bool,
        module: nn.Module,
        before: bool,
    ) -> None:
        self.layer = layer
        self.is_2d = is_2d
        self.module = module
        self.before = before
        # What bins divide, where that is the range that training has seen.
        self.peak = layer.bin_range == 'data' and layer.running_peak.item()
        self.options = dict(layer.binning.keywords)
        del self.options['num_bins']
        if not self.peak:
            self.options['peak'] = None

    @contextmanager
    def sampling(
        self, num_bins: Tensor, groups: Dict[str, _Groups], name: str
    ) -> Iterator[None]:
        """Replaces maps by those of their groups within."""

        def sample(x: Tensor) -> Tensor:
            magnitude = self.magnitude(x)
            groups[name] = _Groups(
                magnitude, self.group(magnitude, num_bins), self.is_2d
            )
            return groups[name].merge(x)

        if self.before:
            handle = self.module.register_forward_pre_hook(
                lambda module, args: sample(*args)
            )
        else:
            handle = self.module.register_forward_hook(
                lambda module, args, x: sample(x)
            )
        try:
            yield
        finally:
            handle.remove()

    def group(self, magnitude: Tensor, num_bins: Tensor) -> ClipGroups:
        """Groups the frames of a clip by their magnitudes, (T,)."""
        return group_clip(magnitude, num_bins, **self.options)

    def magnitude(self, x: Tensor) -> Tensor:
        """Magnitude of each frame, (T,).

        Args:
            x (Tensor): The maps of the clip, (1, C, T, H, W) or (T, C, H, W).
        """
        layer = self.layer
        x = x.transpose(0, 1)[None] if self.is_2d else x
        z = layer._replicate_inner(layer.project(_pool(x, layer.grid)))
        magnitude = layer.similarity(z)
        if self.peak:
            magnitude = magnitude / self.peak
        return magnitude[0]


def _pool(x: Tensor, grid: int) -> Tensor:
    """Averages the cells of a grid, for maps of any size, (1, T, C G^2)."""
    if grid == 1:
        return x.mean(dim=(3, 4)).transpose(1, 2)
    rows, columns = (_cells(size, grid) for size in x.shape[3:])
    return (rows @ x @ columns.T).transpose(1, 2).flatten(2)


def _cells(size: int, grid: int) -> Tensor:
    """Share of each of ``size`` places in each cell, (grid, size)."""
    cell = torch.arange(grid)[:, None]
    start, end = cell * size // grid, -(-(cell + 1) * size // grid)
    place = torch.arange(size)
    inside = (place >= start) & (place < end)
    return inside.to(torch.float32) / (end - start)


def _nearest(num_frames: int, rate: int) -> List[int]:
    """Frames that mmaction2 takes for a pathway."""
    frames = torch.arange(num_frames, dtype=torch.float32)
    frames = F.interpolate(
        frames[None, None, :, None, None],
        mode='nearest',
        scale_factor=(1.0 / rate, 1.0, 1.0),
    )
    return frames.flatten().long().tolist()


def _take(x: Tensor, rate: int) -> Tensor:
    if rate == 1:
        return x
    return x.index_select(2, torch.tensor(_nearest(x.shape[2], rate)))


def _fit(x: Tensor, length: int) -> Tensor:
    """Pads with zero frames, or crops, on both sides.

    Args:
        x (Tensor): (1, C, T, H, W).
        length (int): Number of frames wanted.
    """
    missing = length - x.shape[2]
    front = torch.sym_max(missing, 0) // 2 - torch.sym_max(-missing, 0) // 2
    place = torch.arange(length)[:, None] - front
    chosen = (place == torch.arange(x.shape[2])).to(x.dtype)
    maps = chosen @ x.flatten(3)
    return maps.reshape(*x.shape[:2], -1, *x.shape[3:])


class _Normalize(nn.Module):
    """What mmaction2's preprocessor does to the frames of a clip."""

    def __init__(self, preprocessor: ActionDataPreprocessor) -> None:
        super().__init__()
        self.to_rgb = preprocessor.to_rgb
        self.enabled = preprocessor._enable_normalize
        if self.enabled:
            self.register_buffer('mean', preprocessor.mean.flatten())
            self.register_buffer('std', preprocessor.std.flatten())

    def forward(self, frames: Tensor) -> Tensor:
        x = frames.to(torch.float32)
        if self.to_rgb:
            x = x.flip(-1)
        return (x - self.mean) / self.std if self.enabled else x


class _Shift(nn.Module):
    """TSM's shift between the frames of one clip, however many."""

    def __init__(self, shift: TemporalShift) -> None:
        super().__init__()
        self.net = shift.net
        self.shift_div = shift.shift_div

    def forward(self, x: Tensor) -> Tensor:
        fold = x.shape[1] // self.shift_div
        padded = F.pad(x[:, : 2 * fold], (0, 0, 0, 0, 0, 0, 1, 1))
        length = x.shape[0]
        from_next = padded[:, :fold].narrow(0, 2, length)
        from_last = padded[:, fold:].narrow(0, 0, length)
        return self.net(
            torch.cat((from_next, from_last, x[:, 2 * fold :]), dim=1)
        )


class _NonLocal(nn.Module):
    """A block of TSM and the non-local block that follows it."""

    def __init__(self, wrapper: NL3DWrapper) -> None:
        super().__init__()
        self.block = wrapper.block
        self.non_local_block = wrapper.non_local_block

    def forward(self, x: Tensor) -> Tensor:
        x = self.block(x).transpose(0, 1)[None]
        return self.non_local_block(x)[0].transpose(0, 1)


class _MaxPool(nn.Module):
    """A pool whose window may be longer than the clip: it ends with it."""

    def __init__(self, pool: nn.MaxPool3d) -> None:
        super().__init__()
        self.pool = pool
        self.reach = _triple(pool.kernel_size)[0]

    def forward(self, x: Tensor) -> Tensor:
        length = torch.sym_max(x.shape[2], self.reach)
        place = torch.arange(length).clamp_max(x.shape[2] - 1)
        return self.pool(x.index_select(2, place))  # the last frame again


def _replace(root: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition('.')
    setattr(root.get_submodule(parent), child, module)


def _fit_short_clips(backbone: nn.Module, stage: str) -> None:
    """Makes sure that a stage runs on clips of one frame, too."""
    for name, module in [*backbone.get_submodule(stage).named_modules()]:
        name = '.'.join(filter(None, [stage, name]))
        if isinstance(module, nn.MaxPool3d):
            kernel, stride, padding, dilation = (
                _triple(value)[0]
                for value in (
                    module.kernel_size,
                    module.stride,
                    module.padding,
                    module.dilation,
                )
            )
            if (kernel, stride) == (1, 1):
                continue
            if padding or dilation != 1 or module.ceil_mode:
                _refuse(name, 'pads, dilates or rounds up in time')
            if kernel > 1:
                _replace(backbone, name, _MaxPool(module))
        elif isinstance(module, nn.AvgPool3d):
            if _triple(module.kernel_size)[0] > 1:
                _refuse(name, 'averages over frames')
        elif isinstance(module, nn.Conv3d):
            reach = module.dilation[0] * (module.kernel_size[0] - 1) + 1
            padding = module._reversed_padding_repeated_twice
            if sum(padding[-2:]) + 1 < reach:
                _refuse(
                    name, f'needs {reach - sum(padding[-2:])} frames at least'
                )


def _refuse(name: str, reason: str) -> None:
    raise ValueError(
        f'backbone.{name} {reason}, and sampling may leave one frame of a '
        'clip: there is no form of it for export; sample after it'
    )


def _build_plain(recognizer: nn.Module, model: Dict[str, Any]) -> nn.Module:
    """The recognizer as mmaction2 has it, with its weights."""
    model = ConfigDict(copy.deepcopy(model))
    base = next(
        kind
        for kind in type(recognizer.backbone).__mro__
        if not issubclass(kind, ATFR)
    )
    model.backbone.type = base
    for option in _ADAPTIVE:
        model.backbone.pop(option, None)
    plain = build_recognizer(model)
    plain.load_state_dict(
        {
            name: value
            for name, value in recognizer.state_dict().items()
            if '.sgs.' not in name
        }
    )
    return plain


def _check_parts(recognizer: nn.Module) -> None:
    """Makes sure that nothing of a recognizer is left out.

    Raises:
        ValueError: If a part has no form for export.
    """
    if type(recognizer) not in (Recognizer2D, Recognizer3D):
        raise ValueError(
            f'{type(recognizer).__name__} cannot be exported; only '
            'Recognizer2D and Recognizer3D can'
        )
    if type(recognizer.data_preprocessor) is not ActionDataPreprocessor:
        raise ValueError(
            f'{type(recognizer.data_preprocessor).__name__} cannot be '
            'exported; only ActionDataPreprocessor can'
        )
    if recognizer.with_neck:
        raise ValueError(
            f'the neck {type(recognizer.neck).__name__} cannot be exported; '
            'only recognizers without a neck can'
        )
    if not recognizer.with_cls_head:
        raise ValueError('the recognizer has no head that classifies')
