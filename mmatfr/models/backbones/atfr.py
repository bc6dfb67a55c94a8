"""The mixin that gives a staged backbone adaptive temporal resolution."""

from typing import Any, Dict, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mmatfr.ragged import Layout, Layouts, convert_stage
from mmatfr.sgs import SGS

__all__ = ['ATFR']

READOUTS = ('mean', 'frames')
EXECUTIONS = ('auto', 'packed', 'sequential')
# Height and width of the clip that the base's shapes are read from.
_PROBE_SIZE = (64, 64)
Features = Union[Tensor, Tuple[Tensor, ...]]


class ATFR:
    """Mixin: Similarity Guided Sampling inside a staged 3D backbone.

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

            Defaults to None: no sampling, the base class bit for bit.
        readout (str): What is returned for the stages after sampling: 'mean',
            the mean over the groups of a clip, (N, C, 1, H, W), which any
            head takes; or 'frames', (N, C, T, H, W), where each frame is given
            its group's map, for heads that localise. Defaults to 'mean'.
        execution (str): 'packed' runs the clips of a batch together,
            'sequential' one after another; the results are the same. 'auto'
            is sequential in evaluation on a CPU, where that is the fastest,
            and packed otherwise. Defaults to 'auto'.
        **kwargs: Keyword arguments of the base class.

    Attributes:
        lengths (Tensor): Temporal resolution B' of each clip of the last
            batch, (N,), int64, on the CPU; None before the first, and without
            sampling.

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
        self.lengths: Optional[Tensor] = None
        self.layouts = Layouts()
        self._sampling = False  # whether a forward with sampling is running
        self._plain = False  # whether the forward of the base is wanted
        self._base_frames: Dict[int, Sequence[int]] = {}
        self.sgs: Optional[SGS] = None
        if sgs is not None:
            self._insert_sgs(**sgs)

    # ---- what a base class has to say ----

    def atfr_stages(self) -> Sequence[str]:
        """Names of the modules after which sampling can take place.

        Returns:
            Sequence[str]: The last module of the stem, then the stages, in
            the order in which they run.
        """
        raise NotImplementedError

    def atfr_tail(self, stage: int) -> Sequence[str]:
        """Names of the modules that run after a stage.

        Args:
            stage (int): Place of the stage in :meth:`atfr_stages`.

        Returns:
            Sequence[str]: In any order.
        """
        raise NotImplementedError

    def sampled_outputs(self, stage: int) -> Sequence[bool]:
        """Which of the base's outputs come from after a stage.

        Args:
            stage (int): Place of the stage in :meth:`atfr_stages`.

        Returns:
            Sequence[bool]: One for each output.
        """
        return (True,)

    # ---- construction ----

    def _insert_sgs(
        self, stage: int = 1, pre_activation: bool = False, **options
    ) -> None:
        stages = list(self.atfr_stages())
        if stage not in range(len(stages)):
            raise ValueError(
                f'sgs.stage={stage!r} is not a stage of '
                f'{type(self).__name__}; choose one of 0 (stem) to '
                f'{len(stages) - 1}'
            )
        self._stage = stage
        module = self.get_submodule(stages[stage])
        self.sgs = SGS(self._channels_after(module), **options)
        if pre_activation:
            self._last_activation(stages[stage]).register_forward_pre_hook(
                self._sample_input
            )
        else:
            module.register_forward_hook(self._sample_output)
        for name in self.atfr_tail(stage):
            convert_stage(
                self.get_submodule(name),
                self.layouts,
                path=name,
                packed=self.execution != 'sequential',
            )

    def _last_activation(self, stage: str) -> nn.Module:
        block = next(reversed([*self.get_submodule(stage).children()]), None)
        if not isinstance(getattr(block, 'relu', None), nn.Module):
            raise ValueError(
                'sgs.pre_activation=True samples before the last ReLU of a '
                f'residual stage, and {stage!r} is none; set '
                'sgs.pre_activation=False or another sgs.stage'
            )
        if getattr(block, 'non_local', False):
            raise ValueError(
                'sgs.pre_activation=True is not possible where the last block '
                f'of {stage!r} ends in a non-local block; set '
                'sgs.pre_activation=False'
            )
        return block.relu

    def _run_base(self, num_frames: int) -> Features:
        """Runs the base class on a clip that has a shape and no values."""
        tensors = {
            name: tensor.to('meta')
            for name, tensor in (
                *self.named_parameters(),
                *self.named_buffers(),
            )
        }
        clip = torch.empty(
            1,
            getattr(self, 'in_channels', 3),
            num_frames,
            *_PROBE_SIZE,
            device='meta',
        )
        self._plain = True
        try:
            with torch.no_grad(), self.layouts.alone():
                return functional_call(self, tensors, clip)
        finally:
            self._plain = False

    def _channels_after(self, stage: nn.Module) -> int:
        shapes = []
        handle = stage.register_forward_hook(
            lambda module, args, out: shapes.append(out.shape)
        )
        try:
            self._run_base(num_frames=16)
        finally:
            handle.remove()
        return shapes[0][1]

    # ---- forward ----

    def forward(self, x: Tensor) -> Features:
        """Extracts features.

        Args:
            x (Tensor): Clips, (N, C, T, H, W).

        Returns:
            Tensor | tuple[Tensor]: As the base class, with the time axis that
            ``readout`` says.
        """
        if self.sgs is None or self._plain:
            return super().forward(x)
        self._sampling = True
        try:
            with self.layouts.running():
                return self._read_out(super().forward(x), x.shape[2])
        finally:
            self._sampling = False

    def _sample_output(
        self, module: nn.Module, args: tuple, x: Tensor
    ) -> Optional[Tensor]:
        return self._sample(x)

    def _sample_input(
        self, module: nn.Module, args: tuple
    ) -> Optional[Tensor]:
        return self._sample(*args)

    def _sample(self, x: Tensor) -> Optional[Tensor]:
        if self._plain or not self._sampling:  # e.g. a stage by itself
            return None
        x, self.lengths = self.sgs(x)
        self.layouts.start(
            Layout(self.lengths.tolist()), self._runs_sequentially(x)
        )
        return x

    def _runs_sequentially(self, x: Tensor) -> bool:
        if self.execution == 'auto':
            return x.device.type == 'cpu' and not self.training
        return self.execution == 'sequential'

    def _read_out(self, outputs: Features, num_frames: int) -> Features:
        several = isinstance(outputs, (tuple, list))
        maps = list(outputs) if several else [outputs]
        for i, sampled in enumerate(self.sampled_outputs(self._stage)):
            if not sampled:
                continue
            layout = self.layouts.of(maps[i])
            if self.readout == 'mean':
                maps[i] = layout.mean(maps[i])
            else:
                index = self._group_of_frame(layout, num_frames, output=i)
                spread = maps[i][0].index_select(1, index.flatten())
                maps[i] = spread.unflatten(1, index.shape).transpose(0, 1)
        return type(outputs)(maps) if several else maps[0]

    def _group_of_frame(
        self, layout: Layout, num_frames: int, output: int
    ) -> Tensor:
        """Number of the group that stands for each frame of the base.

        Args:
            layout (Layout): Where the clips of an output lie.
            num_frames (int): Number of frames of the clips.
            output (int): Which of the base's outputs.

        Returns:
            Tensor: (N, T'), int64, for the T' frames of the base's output.
        """
        index = self.sgs.groups.index
        if layout.lengths == tuple(self.lengths.tolist()):
            return index
        # The time axis was strided after sampling. Frame j of T' in the base
        # stands for frame j T / T'; likewise for the groups of a clip.
        if num_frames not in self._base_frames:
            outputs = self._run_base(num_frames)
            outputs = (
                outputs if isinstance(outputs, (tuple, list)) else [outputs]
            )
            self._base_frames[num_frames] = [x.shape[2] for x in outputs]
        base_frames = self._base_frames[num_frames][output]
        before, after = (
            torch.as_tensor(lengths, device=index.device)[:, None]
            for lengths in (self.lengths, layout.lengths)
        )
        frames = torch.arange(base_frames, device=index.device)
        frames = frames * index.shape[1] // base_frames
        place = index[:, frames] - (before.cumsum(0) - before)
        return place * after // before + (after.cumsum(0) - after)

    def train(self, mode: bool = True) -> nn.Module:
        """Sets the mode; unlike mmaction2's, returns the module."""
        super().train(mode)
        return self
