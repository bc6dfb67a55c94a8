"""3D convolutions with flat kernels, run as 2D convolutions."""

from typing import Callable, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import (
    conv_flop_count,
    flop_registry,
    register_flop_formula,
)

__all__ = ['FlatConv3d', 'OneDNNConv2d', 'conv3d']

# Up to so many pixels, a 1x1 kernel runs faster as a matrix product: oneDNN
# reorders the weights in each call.
_FEW_PIXELS = 1024
_HAS_ONEDNN = torch.backends.mkldnn.is_available()


def conv3d(
    x: Tensor,
    weight: Tensor,
    bias: Optional[Tensor],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """Computes ``F.conv3d``, faster for flat kernels and small clips.

    A kernel over one frame is a 2D convolution of each frame; a kernel over
    one pixel is a 2D convolution over time and positions. Neither needs a copy
    of channels-last maps. On a CPU, torch does not use oneDNN for the 3D
    convolution of one small clip; this function does.

    Args:
        x (Tensor): (N, C, T, H, W).
        weight (Tensor): (C', C / groups, K_t, K_h, K_w).
        bias (Tensor, optional): (C',).
        stride (Sequence[int]): In time, height and width.
        padding (Sequence[int]): In time, height and width.
        dilation (Sequence[int]): In time, height and width.
        groups (int): Number of groups of channels.

    Returns:
        Tensor: (N, C', T', H', W').
    """
    if x.device.type != 'cpu' and x.is_contiguous():
        return F.conv3d(x, weight, bias, stride, padding, dilation, groups)
    if _is_product(x, weight, stride, padding, groups):
        return _multiply(x, weight, bias)
    flat_time = weight.shape[2] == 1 and padding[0] == 0
    flat_space = (
        weight.shape[3:] == (1, 1)
        and tuple(padding[1:]) == (0, 0)
        and tuple(stride[1:]) == (1, 1)
    )
    if not (flat_time or flat_space) or not x.is_contiguous(
        memory_format=torch.channels_last_3d
    ):
        return _convolve(x, weight, bias, stride, padding, dilation, groups)
    x = x.permute(0, 2, 3, 4, 1)
    if flat_time:
        frames = x[:, :: stride[0]]
        if weight.shape[3:] == (1, 1) and tuple(padding[1:]) == (0, 0):
            # oneDNN writes out of bounds in the gradient of a strided 1x1
            # kernel (uxlfoundation/oneDNN#6035).
            frames = frames[:, :, :: stride[1], :: stride[2]].contiguous()
            stride = (1, 1, 1)
        y = _conv2d(
            frames.flatten(0, 1).permute(0, 3, 1, 2),
            weight.squeeze(2),
            bias,
            stride[1:],
            padding[1:],
            dilation[1:],
            groups,
        )
        y = y.permute(0, 2, 3, 1).unflatten(0, frames.shape[:2])
    else:
        y = _convolve(
            x.flatten(2, 3).permute(0, 3, 1, 2),
            weight.flatten(3),
            bias,
            (stride[0], 1),
            (padding[0], 0),
            (dilation[0], 1),
            groups,
        )
        y = y.permute(0, 2, 3, 1).unflatten(2, x.shape[2:4])
    return y.permute(0, 4, 1, 2, 3)


def _runs_in_onednn(x: Tensor) -> bool:
    """Returns whether oneDNN can run a convolution of these maps."""
    return (
        not torch.compiler.is_compiling()  # first: it cannot trace the rest
        and not torch.jit.is_tracing()
        and type(x) is Tensor
        and x.device.type == 'cpu'
        and x.dtype == torch.float32
        and x.numel() > 0
        and _HAS_ONEDNN
        and bool(torch.backends.mkldnn.enabled)
        and not torch.is_autocast_enabled('cpu')
    )


def _is_product(
    x: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    groups: int,
) -> bool:
    """Returns whether a convolution is best run as a matrix product."""
    return (
        weight.shape[2:].numel() == groups == max(stride) == 1
        and not any(padding)
        and _runs_in_onednn(x)
        and x.numel() <= _FEW_PIXELS * x.shape[1]
        and x.is_contiguous(
            memory_format=torch.channels_last
            if x.dim() == 4
            else torch.channels_last_3d
        )
    )


def _multiply(x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
    """Runs a kernel over one pixel as a matrix product."""
    if x.dim() == 4:
        y = F.linear(x.permute(0, 2, 3, 1), weight.flatten(1), bias)
        return y.permute(0, 3, 1, 2)
    y = F.linear(x.permute(0, 2, 3, 4, 1), weight.flatten(1), bias)
    return y.permute(0, 4, 1, 2, 3)


def _conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Optional[Tensor],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    if _is_product(x, weight, stride, padding, groups):
        return _multiply(x, weight, bias)
    return _convolve(x, weight, bias, stride, padding, dilation, groups)


def _convolve(
    x: Tensor,
    weight: Tensor,
    bias: Optional[Tensor],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """Runs a 2D or 3D convolution in oneDNN wherever possible.

    For few and small clips torch uses other kernels (see use_mkldnn of its
    ConvParams). Tracing, compilation and FLOP counters get ``F.conv2d`` or
    ``F.conv3d``, which they support; fake tensors have no memory for oneDNN.
    """
    if _runs_in_onednn(x):
        if (
            torch.is_grad_enabled()
            and bias is None
            and x.is_contiguous(memory_format=torch.channels_last_3d)
            and groups == x.shape[1] == weight.shape[0]
            and stride[0] == dilation[0] == 1
            and (x.requires_grad or weight.requires_grad)
        ):
            return _DepthwiseConv3d.apply(x, weight, stride, padding, dilation)
        return torch.mkldnn_convolution(
            x, weight, bias, padding, stride, dilation, groups
        )
    convolve = F.conv2d if x.dim() == 4 else F.conv3d
    return convolve(x, weight, bias, stride, padding, dilation, groups)


class _DepthwiseConv3d(torch.autograd.Function):
    """A depthwise 3D convolution with a gradient computed as 2D ones.

    y = sum_k conv2d(x[k:], w[k]) over the frames k of the kernel, so the
    gradient is the sum of the gradients of its terms. oneDNN has a fast kernel
    for it in 2D, but not in 3D.
    """

    @staticmethod
    def forward(
        ctx,
        x: Tensor,
        weight: Tensor,
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.options = stride, padding, dilation
        return torch.mkldnn_convolution(
            x, weight, None, padding, stride, dilation, x.shape[1]
        )

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tuple[Optional[Tensor], ...]:
        x, weight = ctx.saved_tensors
        stride, padding, dilation = ctx.options
        needed = ctx.needs_input_grad[:2]
        # (N, T, C, H, W): the frames of a clip are adjacent.
        x, grad = x.transpose(1, 2), grad.transpose(1, 2)
        grad_x = torch.zeros_like(x) if needed[0] else None
        grad_weight = torch.zeros_like(weight) if needed[1] else None
        for k in range(weight.shape[2]):
            shift = k - padding[0]  # from input to output frames
            first = max(0, -shift)
            last = min(grad.shape[1], x.shape[1] - shift)
            if first >= last:
                continue
            seen = x[:, first + shift : last + shift]
            own = torch.ops.aten.convolution_backward(
                grad[:, first:last].flatten(0, 1),
                seen.flatten(0, 1),
                weight[:, :, k],
                None,
                stride[1:],
                padding[1:],
                dilation[1:],
                False,
                (0, 0),
                x.shape[2],
                (*needed, False),
            )
            if grad_x is not None:
                grad_x[:, first + shift : last + shift] += own[0].unflatten(
                    0, seen.shape[:2]
                )
            if grad_weight is not None:
                grad_weight[:, :, k] = own[1]
        if grad_x is not None:
            grad_x = grad_x.transpose(1, 2)
        return grad_x, grad_weight, None, None, None


if torch.ops.aten.mkldnn_convolution not in flop_registry:

    @register_flop_formula(torch.ops.aten.mkldnn_convolution)
    def _count_flops(
        x_shape, weight_shape, *args, out_shape=None, **kwargs
    ) -> int:
        return conv_flop_count(x_shape, weight_shape, out_shape)


class _FastConv(nn.modules.conv._ConvNd):
    """Mixin: a convolution that runs in ``convolve``."""

    convolve: Callable[..., Tensor]

    def _conv_forward(
        self, x: Tensor, weight: Tensor, bias: Optional[Tensor]
    ) -> Tensor:
        if self.padding_mode != 'zeros' or isinstance(self.padding, str):
            return super()._conv_forward(x, weight, bias)
        return self.convolve(
            x,
            weight,
            bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )


class FlatConv3d(_FastConv, nn.Conv3d):
    """Mixin: an ``nn.Conv3d`` that runs through :func:`conv3d`."""

    convolve = staticmethod(conv3d)


class OneDNNConv2d(_FastConv, nn.Conv2d):
    """Mixin: an ``nn.Conv2d`` without torch's slow kernels on a CPU."""

    convolve = staticmethod(_conv2d)
