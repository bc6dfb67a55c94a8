"""torchvision's video ResNets with adaptive temporal resolution.

Not imported with the package, because torchvision is optional.
"""

from torchvision.models.video.resnet import (
    BasicBlock,
    Bottleneck,
    VideoResNet,
)

from mmatfr.ragged import register_per_frame

from .variants import atfr

__all__ = ['ATFRVideoResNet']

register_per_frame(BasicBlock, Bottleneck)

# The class of `r3d_18`, `mc3_18` and `r2plus1d_18`.
ATFRVideoResNet = atfr(
    VideoResNet,
    stages=['stem', 'layer1', 'layer2', 'layer3', 'layer4'],
    has_head=True,
)
