"""3D ResNets with adaptive temporal resolution."""

from typing import Sequence

from mmaction.models.backbones.resnet2plus1d import ResNet2Plus1d
from mmaction.models.backbones.resnet3d import ResNet3d
from mmaction.models.backbones.resnet3d_csn import ResNet3dCSN
from mmaction.models.backbones.resnet3d_slowonly import ResNet3dSlowOnly
from mmaction.registry import MODELS

from .atfr import ATFR
from .pathway import Stages

__all__ = [
    'ATFRResNet2Plus1d',
    'ATFRResNet3d',
    'ATFRResNet3dCSN',
    'ATFRResNet3dSlowOnly',
]


class _PoolingATFR(ATFR):
    """A ResNet that may pool after its stem and after its first stage."""

    with_pool1: bool
    with_pool2: bool
    res_layers: Sequence[str]

    def atfr_stages(self) -> Stages:
        stem = 'maxpool' if self.with_pool1 else 'conv1'
        first, *others = self.res_layers
        return [stem, (first, 'pool2') if self.with_pool2 else first, *others]


@MODELS.register_module()
class ATFRResNet3d(_PoolingATFR, ResNet3d):
    """mmaction2's ResNet3d (I3D, C2D, R3D) with Similarity Guided Sampling.

    Takes the arguments of
    :class:`mmaction.models.backbones.resnet3d.ResNet3d` and those of
    :class:`ATFR`. With ``readout='mean'`` the outputs of stages before
    sampling keep their time axis.

    Examples:
        >>> import torch
        >>> from mmatfr.models import ATFRResNet3d
        >>> backbone = ATFRResNet3d(
        ...     depth=18, with_pool2=False, sgs=dict(stage=1)).eval()
        >>> backbone(torch.rand(2, 3, 8, 32, 32)).shape
        torch.Size([2, 512, 1, 1, 1])
    """


@MODELS.register_module()
class ATFRResNet3dSlowOnly(_PoolingATFR, ResNet3dSlowOnly):
    """mmaction2's SlowOnly with Similarity Guided Sampling.

    Takes the arguments of
    :class:`mmaction.models.backbones.resnet3d_slowonly.ResNet3dSlowOnly` and
    those of :class:`ATFR`.
    """


@MODELS.register_module()
class ATFRResNet3dCSN(_PoolingATFR, ResNet3dCSN):
    """mmaction2's CSN with Similarity Guided Sampling.

    Takes the arguments of
    :class:`mmaction.models.backbones.resnet3d_csn.ResNet3dCSN` and those of
    :class:`ATFR`.
    """


# The base always runs the first pool and never the second.
@MODELS.register_module()
class ATFRResNet2Plus1d(ATFR, ResNet2Plus1d):
    """mmaction2's R(2+1)D with Similarity Guided Sampling.

    Takes the arguments of
    :class:`mmaction.models.backbones.resnet2plus1d.ResNet2Plus1d` and those of
    :class:`ATFR`.
    """

    res_layers: Sequence[str]

    def atfr_stages(self) -> Stages:
        return ['maxpool', *self.res_layers]
