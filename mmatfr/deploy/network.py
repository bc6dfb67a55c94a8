"""An adaptive recognizer as a network for one clip, for export.

For one clip, an adaptive network is a plain network on a clip of B' frames
after the sampling. It consists of mmaction2's own modules, split at the
sampled stage, without ragged execution.
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
from mmaction.models.backbones.resnet3d_slowfast import ResNet3dSlowFast
from mmaction.models.backbones.resnet_tsm import NL3DWrapper, TemporalShift
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.models.recognizers import (
    BaseRecognizer,
    Recognizer2D,
    Recognizer3D,
)
from mmengine.config import ConfigDict
from torch import Tensor, nn

from mmatfr.apis import build_recognizer
from mmatfr.models.backbones.atfr import ATFR
from mmatfr.models.backbones.pathway import Pathway
from mmatfr.models.fuse import Fused
from mmatfr.sgs import Binning, get_num_bins, group_frames

from .modules import (
    NonLocal,
    Normalize,
    Shift,
    fit_frames,
    fit_short_clips,
    replace_module,
    take_frames,
)
from .sampling import ClipSampler, SampledGroups

__all__ = ['ClipNetwork']

# Arguments that only the adaptive backbones have.
_ADAPTIVE = ('sgs', 'readout', 'execution', 'channels_last', 'lateral_length')
# Height and width of the frames for finding the numbers of frames.
_PROBE_SIZE = (64, 64)


class ClipNetwork(nn.Module):
    """A recognizer for one clip: frames in, scores and groups out.

    Args:
        recognizer (BaseRecognizer): A recognizer of mmaction2 in evaluation
            mode, with or without sampling in its backbone.
        model (dict): The ``model`` of its config.
        num_frames (int): Number of frames T of a clip.

    Attributes:
        pathways (list[str]): Names of the sampling pathways; '' for a backbone
            with one pathway.
        num_bins (list[int]): Number of bins B of each.
        lengths (list[int]): Number of frames before sampling of each.

    Raises:
        ValueError: If a part of the recognizer cannot be exported.
    """

    def __init__(
        self,
        recognizer: BaseRecognizer,
        model: Dict[str, Any],
        num_frames: int,
    ) -> None:
        super().__init__()
        _check_parts(recognizer)
        self.num_frames = num_frames
        self.is_2d = isinstance(recognizer, Recognizer2D)
        plain = _build_plain(recognizer, model)
        self.normalize = Normalize(recognizer.data_preprocessor)
        self.backbone = plain.backbone
        self.head = plain.cls_head
        adaptive = recognizer.backbone
        self.readout = getattr(adaptive, 'readout', 'mean')
        self.lateral_length = getattr(adaptive, 'lateral_length', 'longer')
        self.num_outputs = self._outputs_without_sampling()
        for name, module in [*self.backbone.named_modules()]:
            if isinstance(module, TemporalShift):
                replace_module(self.backbone, name, Shift(module))
            elif isinstance(module, NL3DWrapper):
                replace_module(self.backbone, name, NonLocal(module))
        self.samplers: Dict[str, ClipSampler] = {}
        if getattr(adaptive, 'pathways', None):
            options = model['backbone'].get('sgs')
            if options is None:
                raise ValueError(
                    'the recognizer samples, but its config does not say how; '
                    'after mmatfr.insert, model.cfg is the config to give'
                )
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
            for number, length in zip(
                numbers.values(), self.lengths, strict=True
            )
        ]

    def forward(
        self, frames: Tensor, num_bins: Optional[Tensor] = None
    ) -> Tuple[Tensor, ...]:
        """Recognizes one clip.

        Args:
            frames (Tensor): The clip, (T, H, W, 3), uint8.
            num_bins (Tensor, optional): Number of bins B of each of the P
                sampling pathways, (P,), int64. None without sampling.

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
        """Finds the values of B' that do not depend on rounding.

        Args:
            frames (Tensor): The clip, (T, H, W, 3), uint8.
            numbers (Sequence[int]): Numbers of bins to try.
            rounding (float): Largest change of a magnitude, relative to the
                largest one.

        Returns:
            list[dict[int, int]]: For each pathway, maps B' to a number of bins
            that gives it.
        """
        _, groups = self._run(frames, torch.tensor(self.num_bins))
        generator = torch.Generator().manual_seed(0)
        found: List[Dict[int, int]] = []
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
    ) -> Tuple[Tensor, Dict[str, SampledGroups]]:
        x = self.normalize(frames)
        # Only a transposition, which is free for an engine with channels-last
        # maps.
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
        recognizer: BaseRecognizer,
        pathway: Pathway,
        before_activation: bool,
    ) -> None:
        layer_name = '.'.join(filter(None, ['backbone', pathway.name, 'sgs']))
        layer = copy.deepcopy(recognizer.get_submodule(layer_name))
        if not isinstance(layer.binning, Binning):
            raise ValueError(
                f'{layer_name} groups frames by {layer.binning!r}, which '
                'cannot be exported; use the binning of the layer'
            )
        (name, *after), *later = pathway.stages[pathway.stage :]
        module = self.backbone.get_submodule(name)
        if before_activation:
            block = [*module.children()][-1]
            module = getattr(block, 'net', block).relu
        self.samplers[pathway.name] = ClipSampler(
            layer, self.is_2d, module, before_activation
        )
        for name in (*after, *sum(later, ())):
            fit_short_clips(self.backbone, name)

    @contextmanager
    def _sampling(
        self, num_bins: Optional[Tensor]
    ) -> Iterator[Dict[str, SampledGroups]]:
        """Enables sampling in a context; yields the groups by pathway."""
        groups: Dict[str, SampledGroups] = {}
        with ExitStack() as stack:
            for place, (name, sampler) in enumerate(self.samplers.items()):
                if num_bins is None:
                    raise ValueError(
                        'num_bins=None: a network that samples needs a number '
                        'of bins for each pathway'
                    )
                stack.enter_context(
                    sampler.sampling(num_bins[place], groups, name)
                )
            yield groups

    def _run_slowfast(
        self, x: Tensor, groups: Dict[str, SampledGroups]
    ) -> Tuple[Tensor, Tensor]:
        """The forward of mmaction2's SlowFast, with aligned lateral maps."""
        slow_path = self.backbone.slow_path
        fast_path = self.backbone.fast_path
        rate = self.backbone.resample_rate
        slow = take_frames(x, rate)
        fast = take_frames(x, rate // self.backbone.speed_ratio)
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
        groups: Dict[str, SampledGroups],
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
            slow = fit_frames(slow, length)
            slow_groups.joined = length
        return torch.cat((slow, fit_frames(maps, length)), dim=1)

    def _read_out(
        self, x: Tensor, groups: Optional[SampledGroups], output: int
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
        """Returns the number of frames before the sampling of each pathway."""
        frames = torch.zeros(
            self.num_frames, *_PROBE_SIZE, 3, dtype=torch.uint8
        )
        bins = torch.ones(len(self.samplers), dtype=torch.long)
        _, groups = self._run(frames, bins)
        return [len(groups[name].index) for name in self.samplers]

    @torch.no_grad()
    def _outputs_without_sampling(self) -> List[int]:
        """Returns the number of frames of each output of the plain
        backbone."""
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
                f'the backbone returns {len(outputs)} feature maps, but only '
                'SlowFast and backbones with one map can be exported; set '
                'out_indices to the last stage'
            )
        return [len(x) if self.is_2d else x.shape[2] for x in outputs]


def _build_plain(
    recognizer: BaseRecognizer, model: Dict[str, Any]
) -> BaseRecognizer:
    """Builds mmaction2's recognizer, with the same weights."""
    cfg = ConfigDict(copy.deepcopy(model))
    base = next(
        kind
        for kind in type(recognizer.backbone).__mro__
        if not issubclass(kind, ATFR)
    )
    cfg.backbone.type = base
    for option in _ADAPTIVE:
        cfg.backbone.pop(option, None)
    plain = build_recognizer(cfg)
    plain.load_state_dict(
        {
            name: value
            for name, value in recognizer.state_dict().items()
            if '.sgs.' not in name
        }
    )
    return plain


def _check_parts(recognizer: BaseRecognizer) -> None:
    """Checks that all parts of a recognizer can be exported.

    Raises:
        ValueError: If a part cannot be exported.
    """
    if any(isinstance(module, Fused) for module in recognizer.modules()):
        raise ValueError(
            'a recognizer after mmatfr.models.fuse cannot be exported; export '
            'the original, and the engines fold its normalization'
        )
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
        raise ValueError('the recognizer has no classification head')
