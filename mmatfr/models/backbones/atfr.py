"""Adaptive temporal resolution for any staged backbone."""

import warnings
from typing import Any, Dict, List, Mapping, Optional, Self, Tuple, Union

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmatfr.ragged import (
    describe_refusals,
    frame_axis,
    start_run,
)
from mmatfr.sgs import (
    LayerOptions,
    check_choice,
    check_flag,
    check_names,
    refuse_tracing,
)

from ..fast_forms import accelerate
from .pathway import Pathway, Stages
from .probing import Features, as_list, probe
from .sampled_clips import SampledClips, join_clips

__all__ = ['ATFR']

READOUTS = ('mean', 'frames')
EXECUTIONS = ('auto', 'packed', 'sequential')
# On a CPU, smaller clips (in number of values) run faster packed, because
# calls cost more than memory traffic (docs/performance.md).
_SMALL_CLIP = 2**21
_OPTIONS = ('stage', 'pre_activation', *LayerOptions.names())


class ATFR(nn.Module):
    """Mixin: Similarity Guided Sampling inside a staged backbone.

    The forward of the base class runs unchanged. A hook on the stage
    ``sgs.stage`` replaces its feature maps with those of the groups, packed
    into one tensor, and the later modules are converted to ragged forms.
    Parameters and state-dict keys of the base do not change. Those of the
    layer are added as ``sgs.*``; when a checkpoint of the base is loaded,
    exactly these are missing.

    Args:
        *args: Positional arguments of the base class.
        sgs (dict, optional): Options of the layer: a ``preset``, options of
            :class:`mmatfr.sgs.LayerOptions` that override it, and

            - stage (int): Samples after this stage; 0 is the stem. It must not
              be the last stage. Defaults to 1.
            - pre_activation (bool): Whether to sample before the last ReLU of
              the last block of the stage, as in the authors' code. Defaults to
              False.

            A backbone with several pathways samples in each of them; a dict by
            pathway sets separate options, and None switches a pathway off.
            Defaults to None: no sampling, equal to the base class bit for bit.
        readout (str): Output of the stages after the sampling: 'mean', the
            mean over the groups of a clip, (N, C, 1, H, W), which works with
            any head; or 'frames', (N, C, T, H, W), with the map of its group
            for each frame, for heads that localize in time. A backbone of 2D
            modules returns (N * T, C, H, W) in both cases. Defaults to 'mean'.
        execution (str): 'packed' runs the clips of a batch together,
            'sequential' one after another; the results are the same. Training
            with batch normalization that is not frozen always runs packed,
            because it needs the frames of all clips; 'sequential' then gives a
            warning. 'auto' is sequential in evaluation on a CPU, where it is
            faster except for tiny clips, and packed otherwise. Defaults to
            'auto'.
        channels_last (bool, optional): Whether to use channels-last maps and
            the faster forms of modules for them, see
            :mod:`mmatfr.models.fast_forms`; results are equal up to rounding.
            Defaults to None: on a CPU, if the backbone samples.
        **kwargs: Keyword arguments of the base class.

    Raises:
        ValueError: If an option is invalid, no stage follows the sampled one,
            or a later module has no ragged form.
    """

    num_segments: int  # only in a backbone of 2D modules
    # Whether the base returns scores, computed from the last stage. The maps
    # are then read out after this stage.
    has_head = False
    _plain: Tuple[nn.Module]  # the backbone without sampling

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
        self._set_up(sgs, readout, execution, channels_last)

    def _set_up(
        self,
        sgs: Optional[Dict[str, Any]],
        readout: str,
        execution: str,
        channels_last: Optional[bool],
    ) -> None:
        """Turns a network of the base class into one of this class."""
        check_choice('readout', readout, READOUTS)
        check_choice('execution', execution, EXECUTIONS)
        check_flag('channels_last', channels_last, unset=True)
        self.readout = readout
        self.execution = execution
        self.channels_last = channels_last
        self.pathways: Dict[str, Pathway] = {}  # the sampling ones
        self._places: Dict[str, int] = {}  # after modules, by name
        # Pathway and place of each output.
        self._sources: List[Optional[Tuple[str, int]]] = []
        if sgs is not None:
            self._insert_sgs(sgs)
        if sgs is not None if channels_last is None else channels_last:
            accelerate(self)

    def atfr_stages(self) -> Union[Stages, Mapping[str, Stages]]:
        """Returns the names of the stages after which it can sample.

        Returns:
            Sequence | Mapping: As in :func:`atfr`.
        """
        raise NotImplementedError

    @property
    def lengths(self) -> Union[None, Tensor, Dict[str, Optional[Tensor]]]:
        """Tensor | dict[str, Tensor]: Temporal resolution B' of each clip of
        the last batch in this thread, (N,), int64, on the CPU; by pathway if
        the base has several. None before the first batch and without
        sampling."""
        if '' in self.pathways or not self.pathways:
            return getattr(self.pathways.get(''), 'lengths', None)
        return {name: path.lengths for name, path in self.pathways.items()}

    def group_of_frames(self, name: str) -> Optional[Tensor]:
        """Finds the map of each frame in the output of a module.

        After the layer, the output that a hook on a module sees is packed: it
        has the groups of all clips along one axis, (1, C, F, H, W), or (F, C,
        H, W) for a backbone of 2D modules, clip after clip, and within a clip
        in the order of the layer. ``mmatfr.ragged.take_clips(output, index)``
        maps it back to frames.

        Args:
            name (str): Name of the module, e.g. 'layer3.0'.

        Returns:
            Tensor | None: Index of the map of each frame, (N, T'), int64, with
            T' the number of frames of a clip at this module without sampling.
            In a hook it is for the current clips (a single one in sequential
            execution); after a forward it is for all clips of the forward in
            this thread. None for a module before the layer, where the output
            is not packed.

        Raises:
            RuntimeError: Before the first forward.
            ValueError: If the module did not run when the backbone was built.
        """
        for path in self.pathways.values():
            if not path.runs_packed(name):
                continue
            if name not in self._places:
                raise ValueError(
                    f'{name!r} is not a module of {type(self).__name__} that '
                    'returns feature maps'
                )
            return path.group_of_frames(self._places[name])
        return None

    # ---- construction ----

    def _insert_sgs(self, sgs: Dict[str, Any]) -> None:
        stages = self.atfr_stages()
        if not isinstance(stages, Mapping):
            stages = {'': stages}
        pathways = {name: Pathway(name, stages[name]) for name in stages}
        given: Dict[str, Optional[Dict[str, Any]]] = dict.fromkeys(stages, sgs)
        by_pathway = [name for name in stages if name]
        if isinstance(sgs, Mapping) and set(sgs) & set(by_pathway):
            check_names('sgs', sgs, by_pathway)
            given = {name: sgs.get(name) for name in stages}
            for name, options in given.items():
                if options is not None:
                    check_names(f'sgs.{name}', options, _OPTIONS)
        else:
            check_names('sgs', sgs, (*by_pathway, *_OPTIONS))
        names = sum((path.names for path in pathways.values()), ())
        seen, places, outputs = probe(self, names)
        for name, options in given.items():
            if options is None:
                continue
            pathways[name].insert(
                self,
                seen,
                places,
                packed=self.execution != 'sequential',
                **options,
            )
            self.pathways[name] = pathways[name]
        self._places = {
            name: max(after for _, after in places[module])
            for name, module in self.named_modules()
            if module in places
        }
        if self.has_head:
            outputs = [seen[path.names[-1]] for path in pathways.values()]
        made_by = {
            id(seen[name]): (path, name)
            for path in pathways.values()
            for name in path.names
        }
        followed = set()
        for i, out in enumerate(outputs):
            if id(out) in made_by:
                path, name = made_by[id(out)]
            elif len(pathways) == 1:  # the last step is not a module
                (path,) = pathways.values()
                name = path.names[-1]
            else:
                raise ValueError(
                    f'output {i} of {type(self).__name__} is not that of a '
                    'stage; name the module that computes it in '
                    'atfr_stages()'
                )
            place = out.shape[frame_axis(out)]
            sampled = path.runs_packed(name)
            if sampled and self.has_head:
                path.read_out_last(self, place, self.readout)
            self._sources.append(
                (path.name, place) if sampled and not self.has_head else None
            )
            if sampled and name != path.sampled:
                followed.add(path.name)
            if sampled and self.readout == 'frames':
                path.check_frames(place)
        for name, path in self.pathways.items():
            if name not in followed:
                raise ValueError(
                    f'{path.option}.stage={path.stage} samples after the last '
                    f'stage that the outputs of {type(self).__name__} need: '
                    'nothing would be saved; set an earlier stage or later '
                    'out_indices, or group the output with the neck SGSNeck'
                )

    # ---- forward ----

    def forward(self, x: Tensor) -> Features:
        """Extracts features.

        Args:
            x (Tensor): Clips, (N, C, T, H, W), or (N * T, C, H, W) for a
                backbone of 2D modules.

        Returns:
            Tensor | tuple[Tensor]: As the base class, with the time axis of
            ``readout``; scores if the base has a head.
        """
        if not self.pathways:
            return self.forward_base(self._to_memory_format(x))
        refuse_tracing()
        return self._forward_clips(self._to_memory_format(x))

    # The modules inside are compiled.
    @torch.compiler.disable(recursive=False)
    def _forward_clips(self, x: Tensor) -> Features:
        self._check_input(x)
        if not self._runs_sequentially(x):
            outputs, clips = self._forward_packed(x)
        else:
            # In 2D modules the frames of a clip are separate images.
            outputs, clips = zip(
                *(
                    self._forward_packed(clip)
                    for clip in x.split(
                        1 if x.dim() == 5 else self.num_segments
                    )
                ),
                strict=True,
            )
            outputs = (
                torch.cat(outputs)
                if isinstance(outputs[0], Tensor)
                else type(outputs[0])(
                    map(torch.cat, zip(*outputs, strict=True))
                )
            )
            clips = map(join_clips, zip(*clips, strict=True))
        for path, sampled in zip(self.pathways.values(), clips, strict=True):
            path.remember(sampled)
        return outputs

    def forward_base(self, x: Tensor) -> Features:
        """Runs the forward of the base class."""
        return super().forward(x)

    @torch.compiler.disable(recursive=False)
    def _forward_packed(
        self, x: Tensor
    ) -> Tuple[Features, List[SampledClips]]:
        """Runs clips together; also returns the sampled clips by pathway."""
        pathways = self.pathways.values()
        with start_run(*(path.route for path in pathways)):
            outputs = self._read_out(self.forward_base(x))
            clips = [path.running_clips for path in pathways]
            return outputs, [own for own in clips if own is not None]

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
        # Batch normalization in training needs the frames of all clips.
        if not self.training or not any(
            isinstance(module, _BatchNorm) and module.training
            for module in self.modules()
        ):
            return True
        for path in self.pathways.values():
            if path.refusals:
                raise RuntimeError(
                    'batch normalization in training mode needs all clips at '
                    'once, but these modules can only run clip by clip: '
                    f'{describe_refusals(path.refusals)}. Freeze the '
                    'normalization (norm_eval=True) and use a layer without '
                    "it (sgs.embedding='identity'), or remove the modules"
                )
        warnings.warn(
            "execution='sequential' runs clips packed in training: batch "
            'normalization needs the frames of all clips at once; freeze it '
            "(norm_eval=True), or set execution='auto'",
            stacklevel=2,
        )
        return False

    @torch.compiler.disable
    def _read_out(self, outputs: Features) -> Features:
        maps = as_list(outputs)
        for i, source in enumerate(self._sources):
            if source is None:
                continue
            name, place = source
            path = self.pathways[name]
            maps[i] = path.read_out(maps[i], place, self.readout)
        if isinstance(outputs, (tuple, list)):
            return type(outputs)(maps)
        return maps[0]

    def train(self, mode: bool = True) -> Self:
        """Sets the mode.

        Options that freeze the normalization of the base (``norm_eval``,
        ``bn_frozen``, ``partial_bn``) do not apply to the sampling layers,
        because a checkpoint of the base has no statistics for them.
        """
        pathways = getattr(self, 'pathways', {})  # not yet in __init__
        layers = [path.layer for path in pathways.values()]
        learned = [p for layer in layers for p in layer.parameters()]
        wanted = [p.requires_grad for p in learned]
        super().train(mode)
        for layer in layers:
            layer.train(mode)
        for parameter, flag in zip(learned, wanted, strict=True):
            parameter.requires_grad_(flag)
        return self
