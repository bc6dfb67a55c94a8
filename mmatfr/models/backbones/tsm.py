"""Temporal shift networks with adaptive temporal resolution."""

from typing import Sequence

from mmaction.models.backbones.mobilenet_v2_tsm import MobileNetV2TSM
from mmaction.models.backbones.resnet_tsm import ResNetTSM
from mmaction.registry import MODELS

from .atfr import ATFR
from .pathway import Stages

__all__ = ['ATFRMobileNetV2TSM', 'ATFRResNetTSM']


@MODELS.register_module()
class ATFRResNetTSM(ATFR, ResNetTSM):
    """mmaction2's ResNetTSM with Similarity Guided Sampling.

    The shift runs between the groups of a clip. The output has the same shape
    as without sampling, so ``TSMHead`` and ``Recognizer2D`` work unchanged:
    with ``readout='mean'`` all T frames of a clip have the same map, the mean
    over its groups.

    Takes the arguments of
    :class:`mmaction.models.backbones.resnet_tsm.ResNetTSM`, except for
    ``temporal_pool``, and those of :class:`ATFR`.

    Examples:
        >>> import torch
        >>> from mmatfr.models import ATFRResNetTSM
        >>> backbone = ATFRResNetTSM(
        ...     depth=18, num_segments=8, sgs=dict(stage=1)).eval()
        >>> backbone(torch.rand(2 * 8, 3, 32, 32)).shape
        torch.Size([16, 512, 1, 1])
        >>> backbone.lengths.shape
        torch.Size([2])
    """

    temporal_pool: bool
    res_layers: Sequence[str]

    def atfr_stages(self) -> Stages:
        if self.temporal_pool:
            raise ValueError(
                'temporal_pool=True halves the frames of every clip, which '
                'sampling has made unequal; set temporal_pool=False or '
                'sgs=None'
            )
        return ['maxpool', *self.res_layers]


@MODELS.register_module()
class ATFRMobileNetV2TSM(ATFR, MobileNetV2TSM):
    """mmaction2's MobileNetV2TSM with Similarity Guided Sampling.

    See :class:`ATFRResNetTSM`. Takes the arguments of
    :class:`mmaction.models.backbones.mobilenet_v2_tsm.MobileNetV2TSM` and
    those of :class:`ATFR`.
    """

    layers: Sequence[str]

    def atfr_stages(self) -> Stages:
        return ['conv1', *self.layers]
