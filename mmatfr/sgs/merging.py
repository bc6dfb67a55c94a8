"""Merging: adds up the feature maps of each group of frames."""

import warnings
from functools import cache

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .grouping import Groups

try:
    from . import merging_kernels as kernels
except ImportError:  # Triton comes with torch's builds for a GPU.
    kernels = None  # type: ignore[assignment]

__all__ = ['merge_frames']


def merge_frames(x: Tensor, groups: Groups) -> Tensor:
    """Adds up the weighted feature maps of each group (Eq. 7).

    Args:
        x (Tensor): Feature maps, (N, C, T, H, W).
        groups (Groups): The groups of the N clips.

    Returns:
        Tensor: The maps of all groups, packed, (1, C, F, H, W), of x's dtype.
    """
    return _MergeFrames.apply(
        x, groups.weight, groups.index, groups.num_groups
    )


@cache
def _kernels_work(device: torch.device) -> bool:
    """Tries the kernels, which Triton compiles with the C compiler."""
    x = torch.ones(1, 1, 2, 1, 1, device=device)
    weight = torch.full((1, 2), 0.5, device=device)
    index = torch.zeros(1, 2, dtype=torch.long, device=device)
    try:
        kernels.merge(torch.empty_like(x[:, :, :1]), x, weight, index)
    except Exception as error:
        warnings.warn(
            f'Triton does not work on {device}, so frames are merged by '
            f'slower operations of torch: {error}',
            stacklevel=2,
        )
        return False
    return True


def _use_kernels(x: Tensor, weight: Tensor) -> bool:
    """Returns whether to merge with the kernels for a GPU.

    Within ``torch.compile`` the compiler makes its own.
    """
    return (
        kernels is not None
        and x.is_cuda
        and type(x) is Tensor  # not a fake tensor, for example
        and x.numel() > 0
        and weight.dtype in (torch.float32, torch.float64)
        and torch.promote_types(x.dtype, weight.dtype) == weight.dtype
        and not torch.compiler.is_compiling()
        and _kernels_work(x.device)
    )


def _is_channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last_3d)


def _add_one_by_one(
    groups: Tensor, frames: Tensor, weight: Tensor, index: Tensor
) -> None:
    """Adds frames, (N T, H, W, C), to their groups without a copy of them."""
    begun = set()
    for frame, place, share in zip(
        frames,
        index.flatten().tolist(),
        weight.flatten().tolist(),
        strict=True,
    ):
        if place in begun:
            groups[place].add_(frame, alpha=share)
        else:
            torch.mul(frame, share, out=groups[place])
            begun.add(place)


def _add_at_once(
    merged: Tensor, x: Tensor, weight: Tensor, index: Tensor
) -> None:
    """Adds all frames to their groups in one weighted scatter."""
    if _is_channels_last(x):
        axis, groups = 0, merged[0].permute(1, 2, 3, 0)
        maps, scale = x.permute(0, 2, 3, 4, 1), weight[..., None, None, None]
    else:
        axis, groups = 1, merged[0]
        maps, scale = x.transpose(0, 1), weight[..., None, None]
    frames = torch.empty(maps.shape, dtype=merged.dtype, device=x.device)
    torch.mul(maps, scale, out=frames)
    groups.zero_().index_add_(
        axis, index.flatten(), frames.flatten(axis, axis + 1)
    )


def _take_frames(grad_merged: Tensor, x: Tensor, index: Tensor) -> Tensor:
    """Returns the gradient of the group of each frame, (N, C, T, H, W)."""
    if _is_channels_last(x):
        grad = grad_merged[0].permute(1, 2, 3, 0)
        grad = grad.index_select(0, index.flatten())
        return grad.unflatten(0, index.shape).permute(0, 4, 1, 2, 3)
    grad = grad_merged[0].index_select(1, index.flatten())
    return grad.unflatten(1, index.shape).transpose(0, 1)


class _MergeFrames(torch.autograd.Function):
    """A weighted sum of the frames; saves nothing but its inputs."""

    @staticmethod
    def forward(
        ctx, x: Tensor, weight: Tensor, index: Tensor, num_groups: int
    ) -> Tensor:
        ctx.save_for_backward(x, weight, index)
        # Sums of half precision are in single precision.
        dtype = torch.promote_types(x.dtype, weight.dtype)
        whole = _is_channels_last(x)
        fast = _use_kernels(x, weight)
        # Not a view, because an in-place activation may follow.
        merged = torch.empty(
            (1, x.shape[1], num_groups, *x.shape[3:]),
            dtype=x.dtype if fast else dtype,
            device=x.device,
            # Memory layout: channels-last, or the default one.
            memory_format=(
                torch.channels_last_3d if whole else torch.contiguous_format
            ),
        )
        if fast:
            kernels.merge(merged, x, weight, index)
        elif whole and x.device.type == 'cpu' and x.dtype == dtype:
            _add_one_by_one(
                merged[0].permute(1, 2, 3, 0),
                x.permute(0, 2, 3, 4, 1).flatten(0, 1),
                weight,
                index,
            )
        else:
            _add_at_once(merged, x, weight, index)
        return merged.to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_merged: Tensor):
        x, weight, index = ctx.saved_tensors
        needs_x, needs_weight = ctx.needs_input_grad[:2]
        fast = _use_kernels(x, weight)
        grad_x = grad_weight = None
        if needs_x and fast:
            grad_x = kernels.spread(grad_merged, x, weight, index)
        if needs_weight or (needs_x and not fast):
            grad = _take_frames(grad_merged, x, index)
            if needs_x and not fast:
                grad_x = (grad * weight[:, None, :, None, None]).to(x.dtype)
            if needs_weight:
                dtype = torch.promote_types(x.dtype, weight.dtype)
                grad_weight = (grad.to(dtype) * x).sum(dim=(1, 3, 4))
        return grad_x, grad_weight, None, None
