"""3D ResNets with adaptive temporal resolution."""

from typing import Sequence

from mmaction.models.backbones.resnet3d import ResNet3d
from mmaction.registry import MODELS

from .atfr import ATFR

__all__ = ['ATFRResNet3d']


@MODELS.register_module()
class ATFRResNet3d(ATFR, ResNet3d):
    """mmaction2's ResNet3d with Similarity Guided Sampling.

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

    def atfr_stages(self) -> Sequence[str]:
        return ['maxpool' if self.with_pool1 else 'conv1', *self.res_layers]

    def atfr_tail(self, stage: int) -> Sequence[str]:
        pool2 = ['pool2'] if self.with_pool2 and stage <= 1 else []
        return [*self.res_layers[stage:], *pool2]

    def sampled_outputs(self, stage: int) -> Sequence[bool]:
        return [index >= stage - 1 for index in sorted(set(self.out_indices))]
