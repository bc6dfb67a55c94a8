"""X3D with adaptive temporal resolution."""
from typing import Sequence

from mmaction.models.backbones.x3d import X3D
from mmaction.registry import MODELS

from .atfr import ATFR

__all__ = ['ATFRX3D']


@MODELS.register_module()
class ATFRX3D(ATFR, X3D):
    """mmaction2's X3D with Similarity Guided Sampling.

    Takes the arguments of :class:`mmaction.models.backbones.x3d.X3D` and those
    of :class:`ATFR`.

    Examples:
        >>> import torch
        >>> from mmatfr.models import ATFRX3D
        >>> backbone = ATFRX3D(gamma_b=2.25, sgs=dict(stage=1)).eval()
        >>> backbone(torch.rand(2, 3, 16, 64, 64)).shape
        torch.Size([2, 432, 1, 2, 2])
        >>> backbone.lengths.shape
        torch.Size([2])
    """

    def atfr_stages(self) -> Sequence[str]:
        return ['conv1_t', *self.res_layers]

    def atfr_tail(self, stage: int) -> Sequence[str]:
        return [*self.res_layers[stage:], 'conv5']
