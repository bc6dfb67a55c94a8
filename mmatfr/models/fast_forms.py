"""Faster forms of modules, with fewer passes over the feature maps.

Modules are given faster forms of themselves, exact up to rounding, for maps
that are held channels last: the channels of a pixel lie side by side, and so
the pixels of a frame and the frames of a clip.
"""

from mmaction.models.backbones.resnet_tsm import TemporalShift
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmatfr.ragged import FlatConv3d, is_swapped, swap_class

from .ragged_forms import RaggedTemporalShift

__all__ = ['accelerate']


def accelerate(network: nn.Module) -> nn.Module:
    """Gives modules their faster forms, in place.

    Args:
        network (nn.Module): Its ragged modules are converted already.

    Returns:
        nn.Module: The same.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv3d) and not is_swapped(module):
            swap_class(module, FlatConv3d)
        elif isinstance(module, ConvModule):
            swap_class(module, FoldingConvModule)
        elif isinstance(module, TemporalShift) and not is_swapped(module):
            swap_class(module, RaggedTemporalShift)
    return network


class FoldingConvModule:
    """Mixin: a ``ConvModule`` that folds its normalisation into its kernel.

    mmcv can do so in each forward where the normalisation is in evaluation
    mode (arXiv:2305.11624). It is worth it as long as the kernel holds fewer
    numbers than the maps.
    """

    def forward(self, x: Tensor, *args, **kwargs) -> Tensor:
        """Runs the module on feature maps."""
        conv = getattr(self.conv, 'net', self.conv)  # of a temporal shift
        self.turn_on_efficient_conv_bn_eval(
            self.with_norm
            and isinstance(conv, (nn.Conv2d, nn.Conv3d))
            and conv.weight.numel() < x.numel()
        )
        return super().forward(x, *args, **kwargs)
