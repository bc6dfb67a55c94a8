"""What mmaction2's and mmcv's modules do on packed clips of unequal length."""

from mmaction.models.backbones.resnet3d import BasicBlock3d, Bottleneck3d
from mmaction.models.backbones.x3d import BlockX3D, SEModule
from mmcv.cnn import ConvModule, Swish
from mmcv.cnn.bricks import wrappers
from mmengine.model import ModuleList, Sequential
from torch import Tensor

from mmatfr.ragged import (
    RaggedSqueezeExcitation,
    register_per_frame,
    register_ragged_form,
)
from mmatfr.ragged.modules import RaggedConv3d, RaggedMaxPool3d

# mmcv's wrappers differ from torch's modules for empty batches only.
register_ragged_form(wrappers.Conv3d)(RaggedConv3d)
register_ragged_form(wrappers.MaxPool3d)(RaggedMaxPool3d)

register_per_frame(
    BasicBlock3d,
    BlockX3D,
    Bottleneck3d,
    ConvModule,
    ModuleList,
    Sequential,
    Swish,
)


@register_ragged_form(SEModule)
class RaggedSEModule(RaggedSqueezeExcitation):
    """X3D's squeeze-excitation, per clip."""

    def gate(self, mean: Tensor) -> Tensor:
        return self.sigmoid(self.fc2(self.relu(self.fc1(mean))))
