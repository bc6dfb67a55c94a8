"""Sampling in one pathway of a backbone."""

from contextlib import contextmanager
from typing import Dict, Iterator, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from mmatfr.ragged import (
    Layout,
    Layouts,
    convert_ragged,
    find_refusals,
    take_frames,
)
from mmatfr.sgs import SGS, join_groups

__all__ = ['Pathway', 'Stages']

Stages = Sequence[Union[str, Sequence[str]]]


class Pathway:
    """A chain of modules that samples after one of them.

    The layer becomes the submodule ``sgs`` of the pathway's owner. A hook
    replaces the feature maps of a stage by those of the groups, clips of
    unequal length packed into one tensor; what runs after it is converted to
    ragged forms.

    Args:
        name (str): Name of its owner in the backbone; '' is the backbone.
        stages (Sequence[str | Sequence[str]]): Names of the stages in the
            backbone, in the order in which they run. A sequence is a stage
            and the modules that take its output before the next stage does.

    Attributes:
        layer (SGS): The layer; None as long as nothing is sampled.
        layouts (Layouts): What the ragged modules look their clips up in.
        lengths (Tensor): Temporal resolution B' of each clip of the last
            batch, (N,), int64, on the CPU.
        joined_lengths (tuple[int]): The same after a join with another
            pathway.
        refusals (dict[str, str]): Why modules, by name, cannot run clips
            packed.
    """

    def __init__(self, name: str, stages: Stages) -> None:
        self.name = name
        self.stages = [
            (names,) if isinstance(names, str) else tuple(names)
            for names in stages
        ]
        self.stage = len(self.stages)
        self.layer: Optional[SGS] = None
        self.layouts = Layouts()
        self.lengths: Optional[Tensor] = None
        self.joined_lengths: Tuple[int, ...] = ()
        self.refusals: Dict[str, str] = {}
        self._num_segments: Optional[int] = None
        self._running = False
        self._sampled = False

    @property
    def option(self) -> str:
        """str: What its options are called in a config."""
        return f'sgs.{self.name}'.rstrip('.')

    def insert(
        self,
        backbone: nn.Module,
        channels: Sequence[int],
        packed: bool,
        stage: int = 1,
        pre_activation: bool = False,
        **options,
    ) -> None:
        """Inserts the layer and converts what runs after it.

        Args:
            backbone (nn.Module): Changed in place.
            channels (Sequence[int]): Number of channels after each stage.
            packed (bool): Whether clips must be able to run packed.
            stage (int): After which stage it samples. Defaults to 1.
            pre_activation (bool): Whether before the last ReLU of the stage.
                Defaults to False.
            **options: Those of the layer.

        Raises:
            ValueError: If an option is unknown, or a module that runs after
                sampling has no ragged form.
        """
        if stage not in range(len(self.stages)):
            raise ValueError(
                f'{self.option}.stage={stage!r} is not a stage of '
                f'{type(backbone).__name__}; choose one of 0 (stem) to '
                f'{len(self.stages) - 1}'
            )
        name, *after = self.stages[stage]
        module = backbone.get_submodule(name)
        owner = backbone.get_submodule(self.name)
        self.stage = stage
        self.layer = owner.sgs = SGS(channels[stage], **options)
        # Backbones of 2D modules take the frames of all clips along one axis.
        self._num_segments = getattr(backbone, 'num_segments', None)
        if pre_activation:
            relu = self._last_activation(name, module)
            relu.register_forward_pre_hook(self._sample_input)
        else:
            module.register_forward_hook(self._sample_output)
        # A 3D module reads the length of a clip off its tensor; a 2D module
        # must be told even where the clip is alone.
        alone = self._num_segments is None
        for name in (*after, *sum(self.stages[stage + 1 :], ())):
            module = backbone.get_submodule(name)
            refusals = (
                find_refusals(module, name) if alone and not packed else {}
            )
            self.refusals.update(refusals)
            if not refusals:
                convert_ragged(module, self.layouts, name, alone)

    def _last_activation(self, name: str, stage: nn.Module) -> nn.Module:
        block = next(reversed([*stage.children()]), None)
        block = getattr(block, 'net', block)  # within a temporal shift
        relu = getattr(block, 'relu', None)
        if not isinstance(relu, nn.Module):
            raise ValueError(
                f'{self.option}.pre_activation=True samples before the last '
                f'ReLU of a residual stage, and {name!r} does not end in one; '
                f'set {self.option}.pre_activation=False or another '
                f'{self.option}.stage'
            )
        if getattr(block, 'non_local', False):
            raise ValueError(
                f'{self.option}.pre_activation=True is not possible where the '
                f'last block of {name!r} ends in a non-local block; set '
                f'{self.option}.pre_activation=False'
            )
        return relu

    @contextmanager
    def running(self) -> Iterator[None]:
        """Samples within, and forgets where the clips lie at its end."""
        self._running, self._sampled = True, False
        try:
            with self.layouts.running():
                yield
        finally:
            self._running = False

    @contextmanager
    def clip_by_clip(self) -> Iterator[None]:
        """Takes the clips that run within, one by one, for one batch."""
        seen = []
        handle = self.layer.register_forward_hook(
            lambda layer, args, out: seen.append(
                (layer.groups, layer.magnitude)
            )
        )
        try:
            yield
        finally:
            handle.remove()
        groups, magnitudes = zip(*seen)
        self.layer.groups = join_groups(groups)
        self.layer.magnitude = torch.cat(magnitudes)
        self.lengths = self.layer.groups.lengths

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Does not sample within."""
        running, self._running = self._running, False
        try:
            with self.layouts.paused():
                yield
        finally:
            self._running = running

    def _sample_output(
        self, module: nn.Module, args: tuple, x: Tensor
    ) -> Optional[Tensor]:
        return self._sample(x)

    def _sample_input(
        self, module: nn.Module, args: tuple
    ) -> Optional[Tensor]:
        return self._sample(*args)

    def _sample(self, x: Tensor) -> Optional[Tensor]:
        if not self._running:  # e.g. a stage by itself
            return None
        if x.dim() == 5:
            x, self.lengths = self.layer(x)
        else:
            x = x.unflatten(0, (-1, self._num_segments)).transpose(1, 2)
            x, self.lengths = self.layer(x)
            x = x[0].transpose(0, 1)
            if not x.is_contiguous(memory_format=torch.channels_last):
                x = x.contiguous()
        self.start(Layout(self.lengths.tolist()))
        return x

    def start(self, layout: Layout) -> None:
        """Runs what follows on clips of these lengths."""
        self.joined_lengths = layout.lengths
        self._sampled = True
        if layout.num_clips > 1 or self._num_segments is not None:
            self.layouts.start(layout)

    def layout_of(self, x: Tensor) -> Optional[Layout]:
        """Finds where the clips of a tensor lie.

        Args:
            x (Tensor): Packed, (1, C, F, H, W) or (F, C, H, W).

        Returns:
            Layout | None: None where nothing has been sampled yet.
        """
        if not (self._running and self._sampled):
            return None
        return self.layouts.of(x) or Layout([x.shape[2]])

    def mean(self, x: Tensor) -> Tensor:
        """Averages the groups of each clip.

        Args:
            x (Tensor): Packed, (1, C, F, H, W) or (F, C, H, W).

        Returns:
            Tensor: (N, C, 1, H, W); of a 2D backbone the same map for each of
            the T frames of a clip, (N * T, C, H, W).
        """
        layout = self.layout_of(x)
        if x.dim() == 5:
            return layout.mean(x)
        mean = layout.mean(x.transpose(0, 1)[None]).squeeze(2)
        return mean.repeat_interleave(self._num_segments, dim=0)

    def spread(self, x: Tensor, num_frames: int) -> Tensor:
        """Gives each frame its group's map.

        Args:
            x (Tensor): Packed, (1, C, F, H, W) or (F, C, H, W).
            num_frames (int): Number of frames T' without sampling.

        Returns:
            Tensor: (N, C, T', H, W) or (N * T', C, H, W).
        """
        index = self._group_of_frame(self.layout_of(x), num_frames)
        if x.dim() == 4:
            return x.index_select(0, index.flatten())
        maps = take_frames(x, index.flatten())[0]
        return maps.unflatten(1, index.shape).transpose(0, 1)

    def _group_of_frame(self, layout: Layout, num_frames: int) -> Tensor:
        """Number of the group that stands for each of T' frames, (N, T')."""
        index = self.layer.groups.index
        before, joined, after = (
            torch.as_tensor(lengths, device=index.device)[:, None]
            for lengths in (self.lengths, self.joined_lengths, layout.lengths)
        )
        # Where the time axis is strided, frame j of T' stands for frame
        # j T / T'; likewise for the groups of a clip.
        frames = torch.arange(num_frames, device=index.device)
        frames = frames * index.shape[1] // num_frames
        place = index[:, frames] - (before.cumsum(0) - before)
        place = place + (joined - before) // 2
        return place * after // joined + (after.cumsum(0) - after)
