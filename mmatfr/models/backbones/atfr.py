"""Adaptive temporal resolution for any staged backbone."""

import sys
from contextlib import ExitStack
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from mmatfr.ragged import describe_refusals, frame_axis

from ..fast_forms import accelerate
from .pathway import Pathway, Stages

__all__ = ['ATFR', 'atfr']

READOUTS = ('mean', 'frames')
EXECUTIONS = ('auto', 'packed', 'sequential')
# Number of frames, height and width of the clip that the base's shapes are
# read from.
_PROBE_SIZE = (64, 64, 64)
# Number of values of a clip below which the calls that run it alone cost more
# than the memory that running it alone saves, on a CPU (docs/performance.md).
_SMALL_CLIP = 2**21
Features = Union[Tensor, Tuple[Tensor, ...]]


class ATFR:
    """Mixin: Similarity Guided Sampling inside a staged backbone.

    The forward of the base class runs as it is. A hook on the stage named by
    ``sgs.stage`` replaces its feature maps by those of the groups of similar
    frames, clips of unequal length packed into one tensor, and the modules
    that run after it are converted to their ragged forms. Parameters and
    state-dict keys of the base do not change; those of the layer are added as
    ``sgs.*``, so that a checkpoint of the base loads with exactly these
    missing.

    Args:
        *args: Positional arguments of the base class.
        sgs (dict, optional): Options of the layer: all of
            :class:`mmatfr.sgs.SGS` but ``in_channels``, and

            - stage (int): After which stage it samples; 0 is the stem.
              Defaults to 1.
            - pre_activation (bool): Whether it samples before the last ReLU
              of the stage's last block, as the authors' code does. Defaults
              to False.

            A backbone of several pathways samples in each of them; a dict of
            options by pathway tells them apart, and None switches one off.
            Defaults to None: no sampling, the base class bit for bit.
        readout (str): What is returned for the stages after sampling: 'mean',
            the mean over the groups of a clip, (N, C, 1, H, W), which any
            head takes; or 'frames', (N, C, T, H, W), where each frame is given
            its group's map, for heads that localise. A backbone of 2D modules
            returns (N * T, C, H, W) in both cases. Defaults to 'mean'.
        execution (str): 'packed' runs the clips of a batch together,
            'sequential' one after another; the results are the same. 'auto'
            is sequential in evaluation on a CPU, where that is the fastest
            for clips that are not tiny, and packed otherwise. Defaults to
            'auto'.
        channels_last (bool, optional): Whether the maps are held channels
            last and modules run in forms that are faster then, see
            :mod:`mmatfr.models.fast_forms`; what is computed stays the same
            up to rounding. Defaults to None: on a CPU, where it samples.
        **kwargs: Keyword arguments of the base class.

    Raises:
        ValueError: If an option has an unknown value, or a module that runs
            after sampling has no ragged form.
    """

    def __init__(
        self,
        *args,
        sgs: Optional[Dict[str, Any]] = None,
        readout: str = 'mean',
        execution: str = 'auto',
        channels_last: Optional[bool] = None,
        **kwargs,
    ) -> None:
        super().__init__(*args, **kwargs)
        for name, value, choices in (
            ('readout', readout, READOUTS),
            ('execution', execution, EXECUTIONS),
        ):
            if value not in choices:
                raise ValueError(
                    f'{name}={value!r} is unknown; choose one of '
                    f'{list(choices)}'
                )
        self.readout = readout
        self.execution = execution
        self.channels_last = channels_last
        self.pathways: Dict[str, Pathway] = {}  # those that sample
        self._plain = False  # whether the forward of the base is wanted
        self._base_frames: Dict[int, List[int]] = {}
        self._sources: List[Optional[str]] = []  # pathway of each output
        if sgs is not None:
            self._insert_sgs(sgs)
        if sgs is not None if channels_last is None else channels_last:
            accelerate(self)

    def atfr_stages(self) -> Union[Stages, Mapping[str, Stages]]:
        """Names of the stages after which sampling can take place.

        Returns:
            Sequence | Mapping: As in :func:`atfr`.
        """
        raise NotImplementedError

    @property
    def lengths(self) -> Union[None, Tensor, Dict[str, Tensor]]:
        """Tensor | dict[str, Tensor]: Temporal resolution B' of each clip of
        the last batch, (N,), int64, on the CPU; by pathway, where the base has
        several. None before the first batch, and without sampling."""
        if '' in self.pathways or not self.pathways:
            return getattr(self.pathways.get(''), 'lengths', None)
        return {name: path.lengths for name, path in self.pathways.items()}

    # ---- construction ----

    def _insert_sgs(self, sgs: Dict[str, Any]) -> None:
        stages = self.atfr_stages()
        if not isinstance(stages, Mapping):
            stages = {'': stages}
        pathways = {name: Pathway(name, stages[name]) for name in stages}
        given = dict.fromkeys(stages, sgs)
        if set(sgs) & set(stages):
            unknown = sorted(set(sgs) - set(stages))
            if unknown:
                raise ValueError(
                    f'sgs has options by pathway, and {unknown} are none of '
                    f'the pathways {list(stages)}'
                )
            given = {name: sgs.get(name) for name in stages}
        shapes, outputs = self._probe(pathways)
        for name, options in given.items():
            if options is None:
                continue
            pathways[name].insert(
                self,
                [shapes[stage[0]][1] for stage in pathways[name].stages],
                packed=self.execution != 'sequential',
                **options,
            )
            self.pathways[name] = pathways[name]
        for i, (name, stage) in enumerate(outputs):
            if name is None and len(pathways) > 1:
                raise ValueError(
                    f'output {i} of {type(self).__name__} is not what one of '
                    'its stages returns; name the module that makes it in '
                    'atfr_stages()'
                )
            if name is None:  # made by a last step that is no module
                name, stage = '', len(pathways[''].stages)
            sampled = stage >= pathways[name].stage
            self._sources.append(name if sampled else None)

    def _probe(
        self, pathways: Mapping[str, Pathway]
    ) -> Tuple[Dict[str, torch.Size], List[Tuple[Optional[str], int]]]:
        """Finds what the stages return, and which of them make the outputs.

        Returns:
            tuple: The shape after each module by its name, and the pathway and
            the stage that each output comes from.
        """
        seen, handles = [], []

        def watch(name: str, *source) -> None:
            handles.append(
                self.get_submodule(name).register_forward_hook(
                    lambda module, args, out: seen.append((name, source, out))
                )
            )

        for path in pathways.values():
            for stage, names in enumerate(path.stages):
                for name in names:
                    watch(name, path.name, stage)
        try:
            outputs = self._run_base(_PROBE_SIZE[0])
        finally:
            for handle in handles:
                handle.remove()
        shapes, sources = {}, {}
        for name, source, out in seen:
            shapes[name] = out.shape
            sources[id(out)] = source
        return shapes, [sources.get(id(out), (None, 0)) for out in outputs]

    def _run_base(self, num_frames: int) -> List[Tensor]:
        """Runs the base class on a clip that has a shape and no values."""
        tensors = {
            name: tensor.to('meta')
            for name, tensor in (
                *self.named_parameters(),
                *self.named_buffers(),
            )
        }
        # The first kernel is the stem's, (out, in, ...).
        channels = next(p for p in self.parameters() if p.dim() > 3).shape[1]
        num_segments = getattr(self, 'num_segments', None)
        shape = (
            (1, channels, num_frames)
            if num_segments is None
            else (num_segments, channels)
        )
        clip = torch.empty(*shape, *_PROBE_SIZE[1:], device='meta')
        self._plain = True
        try:
            with torch.no_grad(), ExitStack() as stack:
                for path in self.pathways.values():
                    stack.enter_context(path.paused())
                return _as_list(functional_call(self, tensors, clip))
        finally:
            self._plain = False

    # ---- forward ----

    def forward(self, x: Tensor) -> Features:
        """Extracts features.

        Args:
            x (Tensor): Clips, (N, C, T, H, W), or (N * T, C, H, W) for a
                backbone of 2D modules.

        Returns:
            Tensor | tuple[Tensor]: As the base class, with the time axis that
            ``readout`` says.
        """
        if self._plain:
            return super().forward(x)
        x = self._to_memory_format(x)
        if not self.pathways:
            return super().forward(x)
        self._check_input(x)
        if not self._runs_sequentially(x):
            return self._run_packed(x)
        # A clip in 2D modules is as many images as it has frames.
        clips = x.split(1 if x.dim() == 5 else self.num_segments)
        with ExitStack() as stack:
            for path in self.pathways.values():
                stack.enter_context(path.clip_by_clip())
            outputs = [self._run_packed(clip) for clip in clips]
        if isinstance(outputs[0], Tensor):
            return torch.cat(outputs)
        return type(outputs[0])(map(torch.cat, zip(*outputs)))

    def _run_packed(self, x: Tensor) -> Features:
        with ExitStack() as stack:
            for path in self.pathways.values():
                stack.enter_context(path.running())
            return self._read_out(super().forward(x), x)

    def _check_input(self, x: Tensor) -> None:
        num_segments = getattr(self, 'num_segments', None)
        if x.dim() == 4 and num_segments and len(x) % num_segments:
            raise ValueError(
                f'expected clips of num_segments={num_segments} frames, but '
                f'got {len(x)} frames'
            )

    def _to_memory_format(self, x: Tensor) -> Tensor:
        wanted = self.channels_last
        if wanted is None:
            wanted = bool(self.pathways) and x.device.type == 'cpu'
        if not wanted:
            return x
        return x.contiguous(
            memory_format=torch.channels_last_3d
            if x.dim() == 5
            else torch.channels_last
        )

    def _runs_sequentially(self, x: Tensor) -> bool:
        if self.execution == 'auto':
            images = 1 if x.dim() == 5 else self.num_segments
            return (
                x.device.type == 'cpu'
                and not self.training
                and images * x[0].numel() >= _SMALL_CLIP
            )
        if self.execution == 'packed':
            return False
        # Batch normalisation in training needs the frames of all clips.
        if not self.training or not any(
            isinstance(module, _BatchNorm) and module.training
            for module in self.modules()
        ):
            return True
        for path in self.pathways.values():
            if path.refusals:
                raise RuntimeError(
                    'batch normalisation in training mode needs all clips at '
                    'once, but these modules can only run clip by clip: '
                    f'{describe_refusals(path.refusals)}. Freeze the '
                    'normalisation (norm_eval=True), or remove them'
                )
        return False

    def _read_out(self, outputs: Features, x: Tensor) -> Features:
        maps = _as_list(outputs)
        for i, source in enumerate(self._sources):
            if source is None:
                continue
            path = self.pathways[source]
            if self.readout == 'mean':
                maps[i] = path.mean(maps[i])
            else:
                num_frames = self._frames_without_sampling(x)[i]
                maps[i] = path.spread(maps[i], num_frames)
        if isinstance(outputs, (tuple, list)):
            return type(outputs)(maps)
        return maps[0]

    def _frames_without_sampling(self, x: Tensor) -> List[int]:
        """Number of frames of each of the base's outputs for one clip."""
        num_frames = x.shape[2] if x.dim() == 5 else self.num_segments
        if num_frames not in self._base_frames:
            self._base_frames[num_frames] = [
                out.shape[frame_axis(out)]
                for out in self._run_base(num_frames)
            ]
        return self._base_frames[num_frames]

    def train(self, mode: bool = True) -> nn.Module:
        """Sets the mode; unlike mmaction2's, returns the module."""
        super().train(mode)
        return self


def _as_list(outputs: Features) -> List[Tensor]:
    return list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]


def atfr(
    backbone: type,
    stages: Union[
        Stages,
        Mapping[str, Stages],
        Callable[[nn.Module], Union[Stages, Mapping[str, Stages]]],
    ],
) -> type:
    """Makes the variant of a staged backbone with adaptive resolution.

    Args:
        backbone (type[nn.Module]): A class of 3D backbones, or of 2D backbones
            with the attribute ``num_segments``.
        stages (Sequence | Mapping | Callable): Names of the modules after
            which sampling can take place, in the order in which they run: the
            last module of the stem, then the stages. In place of a name, a
            sequence of names is a stage and the modules that take its output
            before the next stage does. A mapping has one such list for each
            pathway, by the name of the submodule that the layer is added to;
            a function makes any of these from the backbone.

    Returns:
        type: The class ``ATFR<name of the base>``, which takes the arguments
        of the base and those of :class:`ATFR`.

    Examples:
        >>> import torch
        >>> from mmaction.registry import MODELS
        >>> from mmatfr.models import atfr
        >>> class MyBackbone(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.stem = torch.nn.Conv3d(3, 8, 3, padding=1)
        ...         self.stage1 = torch.nn.Conv3d(8, 16, 3, padding=1)
        ...     def forward(self, x):
        ...         return self.stage1(self.stem(x).relu())
        >>> MyATFR = atfr(MyBackbone, stages=['stem', 'stage1'])
        >>> _ = MODELS.register_module(module=MyATFR)
        >>> backbone = MODELS.build(
        ...     dict(type='ATFRMyBackbone', sgs=dict(stage=0)))
        >>> backbone(torch.rand(2, 3, 8, 16, 16)).shape
        torch.Size([2, 16, 1, 16, 16])
    """

    def atfr_stages(self) -> Union[Stages, Mapping[str, Stages]]:
        return stages(self) if callable(stages) else stages

    return type(
        f'ATFR{backbone.__name__}',
        (ATFR, backbone),
        dict(
            atfr_stages=atfr_stages,
            __doc__=f'{backbone.__name__} with Similarity Guided Sampling.',
            # Where it is looked up by name, as collections.namedtuple does.
            __module__=sys._getframe(1).f_globals['__name__'],
        ),
    )
