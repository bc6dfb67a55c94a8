"""Ragged forms of modules that mix frames, for packed clips.

Each form is a mixin that ``convert_ragged`` puts before the class of a module.
Outside a ragged forward pass the module behaves as before.
"""

from typing import Callable, Dict, Optional, Tuple, Type, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.utils import _triple

from .conv import FlatConv3d, conv3d
from .frames import take_frames
from .layout import Layout, Window
from .route import Route, current_run
from .saving import build_again

__all__ = [
    'RAGGED_FORMS',
    'Ragged',
    'RaggedSqueezeExcitation',
    'register_ragged_form',
]


class Ragged(nn.Module):
    """Mixin: a module that looks up the layout of the clips in its input.

    Attributes:
        converts_children (bool): Whether the form runs its submodules on
            packed clips, so that they need ragged forms too.
        route (Route, optional): Gives the layout of the clips; shared by the
            ragged modules of a network.
        place (int, optional): Place of the module on the route.
    """

    converts_children = False
    route: Optional[Route] = None
    place: Optional[int] = None

    @classmethod
    def refusal(cls, module: nn.Module) -> Optional[str]:
        """Returns the reason why a module has no ragged form, or None."""
        return None

    @classmethod
    def form_of(cls, module: nn.Module) -> Type['Ragged']:
        """Returns the form for a module, this class or a subclass."""
        return cls

    def output_length(self, length: int) -> int:
        """Returns the number of output frames for a clip of ``length`` frames.

        Forms that change the number of frames override it.
        """
        return length

    def layout_of(self, x: Tensor) -> Optional[Layout]:
        """Returns the layout of the clips of x, or None if x is not packed."""
        if self.route is None:
            return None
        return self.route.layout_of(x, self.place)

    # Compiled, this would need a new graph for every length. The code between
    # ragged modules depends only on the number of frames.
    @torch.compiler.disable
    def forward(self, x: Tensor) -> Tensor:
        """Runs the ragged form on packed clips, the base class otherwise."""
        layout = self.layout_of(x)
        if layout is None:
            return super().forward(x)
        return self.forward_ragged(x, layout)

    def forward_ragged(self, x: Tensor, layout: Layout) -> Tensor:
        """Runs on packed clips.

        Args:
            x (Tensor): Packed, (1, C, F, H, W).
            layout (Layout): Layout of the clips of x.

        Returns:
            Tensor: Packed, (1, C', F', H', W').
        """
        raise NotImplementedError


# Keyed by forward function: a subclass that overrides forward is another
# module, and one that does not is the same.
RAGGED_FORMS: Dict[Callable, Type[Ragged]] = {}


def register_ragged_form(*modules: Type[nn.Module]) -> Callable:
    """Registers the ragged form of one or more module classes.

    Examples:
        >>> from torch import nn
        >>> from mmatfr.ragged import Ragged, register_ragged_form
        >>> class FrameDifference(nn.Module):
        ...     def forward(self, x):
        ...         return x - x.roll(1, dims=2)
        >>> @register_ragged_form(FrameDifference)
        ... class RaggedFrameDifference(Ragged):
        ...     def forward_ragged(self, x, layout):
        ...         clips = [clip - clip.roll(1, dims=2)
        ...                  for clip in layout.split(x)]
        ...         return torch.cat(clips, dim=2)
    """

    def register(form: Type[Ragged]) -> Type[Ragged]:
        for module in modules:
            RAGGED_FORMS[module.forward] = form
        return form

    return register


class _Windowed(Ragged):
    """A window that moves over the frames: convolutions and pools."""

    fill = 0.0

    @property
    def window(self) -> Window:
        """Returns the temporal parameters of the module."""
        raise NotImplementedError

    def output_length(self, length: int) -> int:
        return self.window.output_length(length)

    def run_window(
        self, x: Tensor, layout: Layout, run: Callable[[Tensor, int], Tensor]
    ) -> Tensor:
        """Moves the window over the frames of each clip.

        Args:
            x (Tensor): Packed, (1, C, F, H, W).
            layout (Layout): Layout of the clips of x.
            run (Callable): Applies the window to a timeline, without temporal
                padding, with a temporal stride.

        Returns:
            Tensor: Packed, (1, C', F', H', W').
        """
        window = self.window
        if window.kernel == 1 and window.padding == 0:
            if window.stride > 1:
                x = take_frames(x, layout.steps(window, x.device))
            return run(x, 1)
        timeline, outputs = layout.slide(x, window, self.fill)
        if not torch.is_grad_enabled() or current_run().checkpointed:
            return take_frames(run(timeline, window.stride), outputs)
        # The timeline is a copy with zeros; it is recomputed, not saved.
        with build_again(
            timeline, x, lambda x: layout.slide(x, window, self.fill)[0]
        ):
            out = run(timeline, window.stride)
        return take_frames(out, outputs)


@register_ragged_form(nn.Conv3d)
class RaggedConv3d(_Windowed, FlatConv3d):
    """``nn.Conv3d`` with any temporal kernel, stride, dilation and groups."""

    @classmethod
    def refusal(cls, module: nn.Module) -> Optional[str]:
        assert isinstance(module, nn.Conv3d)
        if module.padding_mode != 'zeros':
            return f'padding_mode={module.padding_mode!r} reads other clips'
        sides = module._reversed_padding_repeated_twice
        if sides[::2] != sides[1::2]:
            return f'padding={module.padding!r} is not symmetric'
        return None

    @classmethod
    def form_of(cls, module: nn.Module) -> Type[Ragged]:
        assert isinstance(module, nn.Conv3d)
        per_frame = (
            module.kernel_size[0] == module.stride[0] == 1
            and module._reversed_padding_repeated_twice[-1] == 0
        )
        return _FrameConv3d if per_frame else cls

    @property
    def padding_3d(self) -> Tuple[int, ...]:
        """tuple[int]: Padding in time, height and width."""
        return tuple(self._reversed_padding_repeated_twice[::-2])

    @property
    def window(self) -> Window:
        return Window(
            self.kernel_size[0],
            self.stride[0],
            self.padding_3d[0],
            self.dilation[0],
        )

    def forward(self, x: Tensor) -> Tensor:
        return super(Ragged, self).forward(x)

    # Not `forward`, because mmcv passes weights with folded normalization.
    @torch.compiler.disable
    def _conv_forward(
        self, x: Tensor, weight: Tensor, bias: Optional[Tensor]
    ) -> Tensor:
        layout = self.layout_of(x)
        if layout is None:
            return super()._conv_forward(x, weight, bias)
        return self.run_window(
            x,
            layout,
            lambda x, stride: conv3d(
                x,
                weight,
                bias,
                (stride, *self.stride[1:]),
                (0, *self.padding_3d[1:]),
                self.dilation,
                self.groups,
            ),
        )


class _FrameConv3d(RaggedConv3d):
    """``nn.Conv3d`` on each frame, which needs no layout."""

    def _conv_forward(
        self, x: Tensor, weight: Tensor, bias: Optional[Tensor]
    ) -> Tensor:
        return FlatConv3d._conv_forward(self, x, weight, bias)


class _Pool(_Windowed):
    """A pool. A clip that is shorter than the window gives one output.

    ``nn.MaxPool3d((2, 1, 1))`` raises an error for a clip with one group.
    """

    def apply_window(self, x: Tensor, stride: int) -> Tensor:
        """Runs the pool without temporal padding, at a temporal stride."""
        raise NotImplementedError

    def forward_ragged(self, x: Tensor, layout: Layout) -> Tensor:
        return self.run_window(x, layout, self.apply_window)

    @torch.compiler.disable
    def forward(self, x: Tensor) -> Tensor:
        window = self.window
        too_short = x.shape[2] + 2 * window.padding < window.reach
        if too_short and len(x) == 1 and self.layout_of(x) is None:
            return self.forward_ragged(x, Layout([x.shape[2]]))
        return super().forward(x)


def _pool_window(
    pool: Union[nn.AvgPool3d, nn.MaxPool3d], dilation: int = 1
) -> Window:
    kernel, stride, padding = (
        _triple(value)[0]
        for value in (pool.kernel_size, pool.stride, pool.padding)
    )
    return Window(
        kernel, stride, padding, dilation, pool.ceil_mode, shrink=True
    )


@register_ragged_form(nn.MaxPool3d)
class RaggedMaxPool3d(_Pool, nn.MaxPool3d):
    """``nn.MaxPool3d``."""

    fill = -float('inf')

    @property
    def window(self) -> Window:
        return _pool_window(self, _triple(self.dilation)[0])

    @classmethod
    def refusal(cls, module: nn.Module) -> Optional[str]:
        if module.return_indices:
            return 'return_indices=True counts frames of other clips'
        return None

    def apply_window(self, x: Tensor, stride: int) -> Tensor:
        return F.max_pool3d(
            x,
            self.kernel_size,
            (stride, *_triple(self.stride)[1:]),
            (0, *_triple(self.padding)[1:]),
            self.dilation,
            self.ceil_mode,
        )


@register_ragged_form(nn.AvgPool3d)
class RaggedAvgPool3d(_Pool, nn.AvgPool3d):
    """``nn.AvgPool3d``, as a spatial average and then a temporal one."""

    @property
    def window(self) -> Window:
        return _pool_window(self)

    def forward_ragged(self, x: Tensor, layout: Layout) -> Tensor:
        window = self.window
        if window.per_frame:
            return super(Ragged, self).forward(x)
        spatial = F.avg_pool3d(
            x,
            (1, *_triple(self.kernel_size)[1:]),
            (1, *_triple(self.stride)[1:]),
            (0, *_triple(self.padding)[1:]),
            self.ceil_mode,
            self.count_include_pad,
            divisor_override=1 if self.divisor_override else None,
        )
        timeline, outputs = layout.slide(spatial, window)
        total = F.avg_pool3d(
            timeline,
            (window.kernel, 1, 1),
            (window.stride, 1, 1),
            divisor_override=1,
        )
        total = take_frames(total, outputs)
        if self.divisor_override:
            return total / self.divisor_override
        counts = layout.window_counts(window, x.device, self.count_include_pad)
        return total / counts[:, None, None].to(total.dtype)


class _Adaptive(Ragged):
    """An adaptive pool, to one frame per clip or with all frames kept."""

    @classmethod
    def refusal(cls, module: nn.Module) -> Optional[str]:
        if _triple(module.output_size)[0] not in (None, 1):
            return (
                f'output_size={module.output_size!r} needs more than one '
                'frame per clip'
            )
        return None

    def output_length(self, length: int) -> int:
        return length if _triple(self.output_size)[0] is None else 1

    def pool_maps(self, x: Tensor, size: Tuple[int, int, int]) -> Tensor:
        """Pools maps to a number of frames, a height and a width."""
        raise NotImplementedError

    def pool_clips(self, x: Tensor, layout: Layout) -> Tensor:
        """Pools the frames of each clip, (1, C, F, H, W) to (N, C, 1, ...)."""
        raise NotImplementedError

    def forward_ragged(self, x: Tensor, layout: Layout) -> Tensor:
        frames, height, width = _triple(self.output_size)
        x = self.pool_maps(
            x, (x.shape[2], height or x.shape[3], width or x.shape[4])
        )
        if frames is None:
            return x
        return self.pool_clips(x, layout).transpose(0, 2)


@register_ragged_form(nn.AdaptiveAvgPool3d)
class RaggedAdaptiveAvgPool3d(_Adaptive):
    """``nn.AdaptiveAvgPool3d`` with a temporal size of 1 or None."""

    def pool_maps(self, x: Tensor, size: Tuple[int, int, int]) -> Tensor:
        return F.adaptive_avg_pool3d(x, size)

    def pool_clips(self, x: Tensor, layout: Layout) -> Tensor:
        return layout.mean(x)


@register_ragged_form(nn.AdaptiveMaxPool3d)
class RaggedAdaptiveMaxPool3d(_Adaptive):
    """``nn.AdaptiveMaxPool3d`` with a temporal size of 1 or None."""

    @classmethod
    def refusal(cls, module: nn.Module) -> Optional[str]:
        if module.return_indices:
            return 'return_indices=True counts frames of other clips'
        return super().refusal(module)

    def pool_maps(self, x: Tensor, size: Tuple[int, int, int]) -> Tensor:
        return F.adaptive_max_pool3d(x, size)

    def pool_clips(self, x: Tensor, layout: Layout) -> Tensor:
        return layout.max(x)


class RaggedSqueezeExcitation(Ragged):
    """Squeeze-excitation: gates the channels of each clip by its mean.

    Subclass it with a ``gate`` and register it for the module of a zoo.
    """

    def gate(self, mean: Tensor) -> Tensor:
        """Maps the mean of each clip, (N, C, 1, 1, 1), to its gate."""
        raise NotImplementedError

    def forward_ragged(self, x: Tensor, layout: Layout) -> Tensor:
        mean = layout.mean(x.mean(dim=(3, 4), keepdim=True))
        return x * layout.expand(self.gate(mean))
