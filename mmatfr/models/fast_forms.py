"""Faster forms of modules, with fewer passes over the feature maps.

The faster forms are equal up to rounding. They are for channels-last maps, in
which the channels of a pixel are adjacent, as are the pixels of a frame and
the frames of a clip.
"""

from typing import Tuple, Union

import torch
import torch.nn.functional as F
from mmaction.models.backbones.resnet_tsm import TemporalShift
from mmcv.cnn import ConvModule, Swish
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmatfr.ragged import FlatConv3d, OneDNNConv2d, add_mixin, has_mixin

from .ragged_forms import RaggedTemporalShift

__all__ = ['accelerate', 'fold']

Conv = Union[nn.Conv2d, nn.Conv3d, RaggedTemporalShift]


def accelerate(network: nn.Module) -> nn.Module:
    """Replaces modules with their faster forms, in place.

    Args:
        network (nn.Module): A network with converted ragged modules.

    Returns:
        nn.Module: The same network.
    """
    for module in network.modules():
        if has_mixin(module):
            continue
        for kind, form in _FORMS.items():
            if isinstance(module, kind):
                add_mixin(module, form)
    return network


class OnePassSwish(nn.Module):
    """Mixin: ``Swish`` in one pass; x * sigmoid(x) takes two."""

    def forward(self, x: Tensor) -> Tensor:
        """Runs the module on feature maps."""
        return F.silu(x)


class MeanPool3d(nn.AdaptiveAvgPool3d):
    """Mixin: an ``nn.AdaptiveAvgPool3d`` to size 1, as a plain mean."""

    def forward(self, x: Tensor) -> Tensor:
        """Runs the module on feature maps."""
        if self.output_size not in (1, (1, 1, 1)):
            return super().forward(x)
        return x.mean(dim=(-3, -2, -1), keepdim=True)


class FoldingConvModule(ConvModule):
    """Mixin: a ``ConvModule`` that folds its normalization into the kernel.

    It folds in each forward if the normalization is in evaluation mode
    (arXiv:2305.11624), like mmcv's ``efficient_conv_bn_eval``. Unlike mmcv it
    sets no attribute of the convolution, so threads may share a network and
    ``torch.compile`` can trace it. Folding is faster on a CPU if the kernel
    has fewer elements than the maps. On a GPU it is slower: it takes six
    operations more, and torch adds the bias of the kernel in a separate pass.
    A convolution or normalization with a hook is not folded.
    """

    def forward(
        self, x: Tensor, activate: bool = True, norm: bool = True
    ) -> Tensor:
        """Runs the module on feature maps."""
        if (
            x.device.type == 'cpu'
            and norm
            and self.with_norm
            and self.order == ('conv', 'norm', 'act')
        ):
            # Each look-up of a submodule takes as long as a small operation.
            layer, normalization = self.conv, self.norm
            if _is_foldable(layer, normalization, x):
                if self.with_explicit_padding:
                    x = self.padding_layer(x)
                x = layer._conv_forward(x, *fold(layer, normalization))
                if activate and self.with_activation:
                    x = self.activate(x)
                return x
        return super().forward(x, activate, norm)


def fold(conv: Conv, norm: _BatchNorm) -> Tuple[Tensor, Tensor]:
    """Folds a normalization in evaluation mode into the kernel before it.

    Args:
        conv (nn.Conv2d | nn.Conv3d | RaggedTemporalShift): A convolution, or
            what stands for one.
        norm (_BatchNorm): The normalization of its output, by running
            statistics.

    Returns:
        tuple[Tensor]: Weight and bias of the folded convolution,
        differentiable with respect to the parameters of both modules.
    """
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None and variance is not None
    scale = torch.rsqrt(variance + norm.eps)
    offset: Tensor
    if norm.affine:
        scale, offset = scale * norm.weight, norm.bias
    else:
        offset = torch.zeros_like(mean)
    weight, bias = conv.weight, conv.bias
    if bias is not None:
        mean = mean - bias
    bias = torch.addcmul(offset, mean, scale, value=-1)
    return weight * scale.view(-1, *[1] * (weight.dim() - 1)), bias


def _is_foldable(layer: nn.Module, norm: nn.Module, x: Tensor) -> bool:
    conv = layer.net if isinstance(layer, TemporalShift) else layer
    return (
        isinstance(conv, (nn.Conv2d, nn.Conv3d))
        and isinstance(norm, _BatchNorm)
        and norm.track_running_stats
        and not norm.training
        and conv.weight.numel() < x.numel()
        and not any(map(_is_watched, {layer, conv, norm}))
    )


def _is_watched(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


_FORMS = {
    nn.AdaptiveAvgPool3d: MeanPool3d,
    nn.Conv2d: OneDNNConv2d,
    nn.Conv3d: FlatConv3d,
    ConvModule: FoldingConvModule,
    Swish: OnePassSwish,
    TemporalShift: RaggedTemporalShift,
}
