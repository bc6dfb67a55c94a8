"""Sampling in one pathway of a backbone."""

import math
from dataclasses import replace
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from mmatfr.ragged import (
    Layout,
    Places,
    Route,
    convert_ragged,
    describe_refusals,
    find_refusals,
    frame_axis,
    take_clips,
)
from mmatfr.sgs import (
    SGS,
    LastResults,
    LayerOptions,
    check_flag,
)

from .sampled_clips import SampledClips
from .sampled_stage import hook_maps

__all__ = ['Pathway', 'Stages']

Stages = Sequence[Union[str, Sequence[str]]]
_last: LastResults['Pathway', SampledClips] = LastResults()


class Pathway:
    """A chain of modules that samples after one of them.

    The layer becomes the submodule ``sgs`` of the owner of the pathway. A hook
    replaces the feature maps of a stage with those of the groups, with clips
    of unequal length packed into one tensor. Later modules are converted to
    ragged forms.

    Args:
        name (str): Name of the owner in the backbone; '' is the backbone.
        stages (Sequence[str | Sequence[str]]): Names of the stages in the
            backbone, in the order of execution. A sequence consists of a stage
            and the modules that take its output before the next stage does.

    Attributes:
        layer (SGS): The layer, set by :meth:`insert`.
        stage (int): Samples after this stage.
        pre_activation (bool): Whether it samples before the last ReLU of the
            stage.
        route (Route): Gives the ragged modules the layout of the clips; set by
            :meth:`insert`.
        refusals (dict[str, str]): By name, reasons why modules cannot run on
            packed clips.
    """

    layer: SGS
    route: Route
    _end: Tuple[int, str]  # place of the last stage, and its readout

    def __init__(self, name: str, stages: Stages) -> None:
        self.name = name
        self.stages = [
            (names,) if isinstance(names, str) else tuple(names)
            for names in stages
        ]
        self.stage = len(self.stages)
        self.pre_activation = False
        self.refusals: Dict[str, str] = {}
        self._num_segments: Optional[int] = None

    @property
    def lengths(self) -> Optional[Tensor]:
        """Tensor | None: Temporal resolution B' of each clip of the last batch
        in this thread, (N,), int64, on the CPU."""
        return self.layer.groups.lengths if self.layer.has_run else None

    @property
    def clips(self) -> Optional[SampledClips]:
        """SampledClips | None: Clips of the current forward in this thread, or
        of the last one."""
        return self.running_clips or _last.by_module.get(self)

    @property
    def running_clips(self) -> Optional[SampledClips]:
        """SampledClips | None: Clips of the current forward in this thread;
        None without one, and before the layer."""
        clips = self.route.clips
        assert clips is None or isinstance(clips, SampledClips)
        return clips

    def remember(self, clips: SampledClips) -> None:
        """Stores the clips of a forward for this thread."""
        _last.by_module[self] = clips
        self.layer.remember(clips.groups, clips.magnitude)

    @property
    def names(self) -> Tuple[str, ...]:
        """tuple[str]: Names of all modules of its stages."""
        return sum(self.stages, ())

    @property
    def sampled(self) -> str:
        """str: Name of the sampled module."""
        return self.stages[self.stage][0]

    @property
    def option(self) -> str:
        """str: Name of the options in a config."""
        return f'sgs.{self.name}'.rstrip('.')

    def insert(
        self,
        backbone: nn.Module,
        seen: Mapping[str, Tensor],
        places: Places,
        packed: bool,
        stage: int = 1,
        pre_activation: bool = False,
        **options: Any,
    ) -> None:
        """Inserts the layer and converts the later modules.

        Args:
            backbone (nn.Module): The backbone, changed in place.
            seen (Mapping[str, Tensor]): Output of each stage for one clip.
            places (Mapping): Places of the modules.
            packed (bool): Whether packed execution has to be possible.
            stage (int): Samples after this stage. Defaults to 1.
            pre_activation (bool): Whether to sample before the last ReLU of
                the stage. Defaults to False.
            **options: Options of the layer.

        Raises:
            ValueError: If an option is invalid, or a later module has no
                ragged form.
        """
        if isinstance(stage, bool) or stage not in range(len(self.stages)):
            raise ValueError(
                f'{self.option}.stage={stage!r} is not a stage of '
                f'{type(backbone).__name__}; choose one of 0 (stem) to '
                f'{len(self.stages) - 1}'
            )
        check_flag(f'{self.option}.pre_activation', pre_activation)
        name, *after = self.stages[stage]
        owner = backbone.get_submodule(self.name)
        chosen = LayerOptions.from_preset(**options)
        if chosen.border == 'auto':
            stem = backbone.get_submodule(self.stages[0][0])
            chosen = chosen.with_border(_padded_frames(owner, stem, places))
        self.stage = stage
        self.pre_activation = pre_activation
        self.layer = SGS(seen[name].shape[1], **vars(chosen))
        owner.add_module('sgs', self.layer)
        # Backbones of 2D modules take the frames of all clips along one axis.
        self._num_segments = getattr(backbone, 'num_segments', None)
        hook_maps(
            backbone, name, self._sample_maps, pre_activation, self.option
        )
        # A 3D module knows the length of a single clip from its tensor; a 2D
        # module does not.
        alone = self._num_segments is None
        start = seen[name]
        self.route = Route(start.shape[frame_axis(start)])
        for name in (*after, *sum(self.stages[stage + 1 :], ())):
            module = backbone.get_submodule(name)
            try:
                convert_ragged(module, self.route, places, name, alone)
            except ValueError as error:
                if packed or not alone:
                    raise
                self.refusals.update(
                    find_refusals(module, name) or {name: f'({error})'}
                )

    def _sample_maps(
        self, module: nn.Module, args: tuple, *out: Tensor
    ) -> Optional[Tensor]:
        return self._sample(*(out or args))

    @torch.compiler.disable
    def _sample(self, x: Tensor) -> Optional[Tensor]:
        if not self.route.is_running:  # e.g. a stage called directly
            return None
        if x.dim() == 5:
            x, lengths = self.layer(x)
        else:
            x = x.unflatten(0, (-1, self._num_segments)).transpose(1, 2)
            x, lengths = self.layer(x)
            x = x[0].transpose(0, 1)
            if not x.is_contiguous(memory_format=torch.channels_last):
                x = x.contiguous()
        self.route.begin(
            SampledClips(
                Layout(lengths.tolist()),
                self.route.start,
                packed=len(lengths) > 1 or self._num_segments is not None,
                groups=self.layer.groups,
                magnitude=self.layer.magnitude,
            )
        )
        return x

    def fit(self, x: Tensor, place: int, lengths: Sequence[int]) -> Tensor:
        """Changes the length of every clip from here on, for a join.

        Args:
            x (Tensor): Packed, (1, C, F, H, W).
            place (int): Its place on the route.
            lengths (Sequence[int]): Number of frames of each clip.

        Returns:
            Tensor: Packed, (1, C, F', H, W).
        """
        layout, lengths = self._layout_of(x, place), tuple(lengths)
        if lengths == layout.lengths:
            return x
        x = layout.fit(x, lengths)
        clips = self.running_clips
        assert clips is not None
        self.route.begin(replace(clips, layout=Layout(lengths), place=place))
        return x

    def layout_of(self, x: Tensor, place: int) -> Optional[Layout]:
        """Finds the layout of the clips of a tensor in a forward.

        Args:
            x (Tensor): Packed, (1, C, F, H, W) or (F, C, H, W).
            place (int): Its place on the route.

        Returns:
            Layout | None: The layout; None before the sampling.
        """
        if self.route.clips is None:
            return None
        return self._layout_of(x, place)

    def _layout_of(self, x: Tensor, place: int) -> Layout:
        return self.route.layout_of(x, place) or Layout([x.shape[2]])

    def mean(self, x: Tensor, place: int) -> Tensor:
        """Averages the groups of each clip.

        Args:
            x (Tensor): Packed, (1, C, F, H, W) or (F, C, H, W).
            place (int): Its place on the route.

        Returns:
            Tensor: (N, C, 1, H, W); for a 2D backbone, the same map for each
            of the T frames of a clip, (N * T, C, H, W).
        """
        layout = self._layout_of(x, place)
        if x.dim() == 5 or self._num_segments is None:
            return layout.mean(x)
        mean = layout.mean(x.transpose(0, 1)[None]).squeeze(2)
        return mean.repeat_interleave(self._num_segments, dim=0)

    def spread(self, x: Tensor, place: int) -> Tensor:
        """Gives each frame the map of its group.

        Args:
            x (Tensor): Packed, (1, C, F, H, W) or (F, C, H, W).
            place (int): Its place on the route.

        Returns:
            Tensor: (N, C, T', H, W) or (N * T', C, H, W), T' the number of
            frames of a clip at this place without sampling.
        """
        return take_clips(x, self.group_of_frames(place))

    def read_out(self, x: Tensor, place: int, readout: str) -> Tensor:
        """Turns the maps of the groups into the input of a head.

        Args:
            x (Tensor): Packed, (1, C, F, H, W) or (F, C, H, W).
            place (int): Its place on the route.
            readout (str): 'mean' or 'frames', as in :class:`ATFR`.

        Returns:
            Tensor: As :meth:`mean` or :meth:`spread`.
        """
        return (self.mean if readout == 'mean' else self.spread)(x, place)

    def read_out_last(
        self, backbone: nn.Module, place: int, readout: str
    ) -> None:
        """Makes the last module return the input of a head.

        Args:
            backbone (nn.Module): The backbone, changed in place.
            place (int): Place of the output of its last stage.
            readout (str): 'mean' or 'frames', as in :class:`ATFR`.
        """
        self._end = place, readout
        backbone.get_submodule(self.names[-1]).register_forward_hook(
            self._read_out_maps
        )

    @torch.compiler.disable
    def _read_out_maps(
        self, module: nn.Module, args: tuple, out: Tensor
    ) -> Optional[Tensor]:
        if not self.route.is_running:  # e.g. a stage called directly
            return None
        return self.read_out(out, *self._end)

    def runs_packed(self, name: str) -> bool:
        """Returns whether a module, by name, runs after the sampling."""
        module = name + '.'
        if self.stage == len(self.stages):
            return False
        _, *after = self.stages[self.stage]
        return name == self.sampled or any(
            module.startswith(other + '.')
            for other in (*after, *sum(self.stages[self.stage + 1 :], ()))
        )

    def check_frames(self, place: int) -> None:
        """Checks that the number of frames without sampling is known.

        Raises:
            ValueError: If a module without a ragged form changes it.
        """
        try:
            self.route.length_at(place, self.route.start)
        except KeyError:
            reasons = describe_refusals(self.refusals)
            raise ValueError(
                "readout='frames' needs the number of frames of a clip after "
                f'every module, which is unknown here: {reasons}; set '
                "readout='mean' or give the module a ragged form with "
                'mmatfr.ragged.register_ragged_form'
            ) from None

    def group_of_frames(self, place: int) -> Tensor:
        """Finds the group of each frame of the clips.

        Args:
            place (int): Place of the groups.

        Returns:
            Tensor: Index of the map of the group in the packed tensor, (N,
            T'), int64, with T' the number of frames of a clip at this place
            without sampling.

        Raises:
            RuntimeError: If there was no forward yet.
            ValueError: If the number of frames is not known there.
        """
        clips = self.clips
        if clips is None:
            raise RuntimeError('there are no groups before the first forward')
        self.check_frames(place)
        index = clips.groups.index
        num_frames = self.route.length_at(place, index.shape[1])
        before, joined, after = (
            torch.as_tensor(lengths).to(index.device, non_blocking=True)[
                :, None
            ]
            for lengths in (
                clips.groups.lengths,
                clips.layout.lengths,
                self.route.layout_at(place, clips).lengths,
            )
        )
        # With a strided time axis, frame j of T' represents frame j T / T';
        # the same holds for the groups of a clip.
        frames = torch.arange(num_frames, device=index.device)
        frames = frames * index.shape[1] // num_frames
        group = index[:, frames] - (before.cumsum(0) - before)
        group = group + (joined - before) // 2
        return group * after // joined + (after.cumsum(0) - after)


def _padded_frames(owner: nn.Module, stem: nn.Module, places: Places) -> int:
    """Counts the frames at each end that the padding of a stem affects.

    Args:
        owner (nn.Module): The backbone, or the module of a pathway.
        stem (nn.Module): The last module of its stem.
        places (Mapping): The modules in the order in which they finished.

    Returns:
        int: Number of output frames of the stem at each end of a clip.
    """
    own, ended, border = {*owner.modules()}, [*places], 0
    for module in ended[: ended.index(stem) + 1]:
        if module not in own or next(module.children(), None) is not None:
            continue
        ((before, after), *_) = places[module]
        padding = 0
        if isinstance(module, nn.Conv3d):
            padding = module._reversed_padding_repeated_twice[-2]
        border = math.ceil((border + padding) * after / before)
    return border
