"""Modules of mmaction2, adapted to one clip of any length."""

from typing import List

import torch
import torch.nn.functional as F
from mmaction.models.backbones.resnet_tsm import NL3DWrapper, TemporalShift
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from torch import Tensor, nn
from torch.nn.modules.utils import _triple

__all__ = [
    'MaxPool',
    'NonLocal',
    'Normalize',
    'Shift',
    'fit_frames',
    'fit_short_clips',
    'replace_module',
    'take_frames',
]


class Normalize(nn.Module):
    """The normalization of mmaction2's preprocessor, for one clip."""

    mean: Tensor
    std: Tensor

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
        if not self.enabled:
            return x
        # One value for each column and channel: engines are slow at
        # broadcasting over a last dimension of three.
        row = x.shape[2:]
        return (x - self.mean.expand(row)) / self.std.expand(row)


class Shift(nn.Module):
    """TSM's shift between the frames of one clip of any length."""

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


class NonLocal(nn.Module):
    """A block of TSM and the non-local block that follows it."""

    def __init__(self, wrapper: NL3DWrapper) -> None:
        super().__init__()
        self.block = wrapper.block
        self.non_local_block = wrapper.non_local_block

    def forward(self, x: Tensor) -> Tensor:
        x = self.block(x).transpose(0, 1)[None]
        return self.non_local_block(x)[0].transpose(0, 1)


class MaxPool(nn.Module):
    """A pool with a window that may be longer than the clip."""

    def __init__(self, pool: nn.MaxPool3d) -> None:
        super().__init__()
        self.pool = pool
        self.reach = _triple(pool.kernel_size)[0]

    def forward(self, x: Tensor) -> Tensor:
        length = torch.sym_max(x.shape[2], self.reach)
        place = torch.arange(length).clamp_max(x.shape[2] - 1)
        return self.pool(x.index_select(2, place))  # repeats the last frame


def replace_module(root: nn.Module, name: str, module: nn.Module) -> None:
    """Replaces a module, given its name."""
    parent, _, child = name.rpartition('.')
    setattr(root.get_submodule(parent), child, module)


def fit_short_clips(backbone: nn.Module, stage: str) -> None:
    """Checks that a stage runs on clips of one frame, and adapts its pools."""
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
                replace_module(backbone, name, MaxPool(module))
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
        f'backbone.{name} {reason}, but a sampled clip may have one frame: '
        'it cannot be exported; sample after it'
    )


def _nearest(num_frames: int, rate: int) -> List[int]:
    """Returns the frames that mmaction2 selects for a pathway."""
    frames = torch.arange(num_frames, dtype=torch.float32)
    frames = F.interpolate(
        frames[None, None, :, None, None],
        mode='nearest',
        scale_factor=(1.0 / rate, 1.0, 1.0),
    )
    return frames.flatten().long().tolist()


def take_frames(x: Tensor, rate: int) -> Tensor:
    """Selects the frames of a pathway of SlowFast, as in mmaction2.

    Args:
        x (Tensor): (1, C, T, H, W).
        rate (int): Selects one frame out of this many.
    """
    if rate == 1:
        return x
    return x.index_select(2, torch.tensor(_nearest(x.shape[2], rate)))


def fit_frames(x: Tensor, length: int) -> Tensor:
    """Pads with zero frames, or crops, at both ends.

    Args:
        x (Tensor): (1, C, T, H, W).
        length (int): New number of frames.
    """
    missing = length - x.shape[2]
    front = torch.sym_max(missing, 0) // 2 - torch.sym_max(-missing, 0) // 2
    place = torch.arange(length)[:, None] - front
    chosen = (place == torch.arange(x.shape[2])).to(x.dtype)
    maps = chosen @ x.flatten(3)
    return maps.reshape(*x.shape[:2], -1, *x.shape[3:])
