"""What mmaction2's and mmcv's modules do on packed clips of unequal length."""

from typing import Optional

import torch
from mmaction.models.backbones import resnet
from mmaction.models.backbones.mobilenet_v2 import InvertedResidual
from mmaction.models.backbones.resnet3d import BasicBlock3d, Bottleneck3d
from mmaction.models.backbones.resnet_tsm import NL3DWrapper, TemporalShift
from mmaction.models.backbones.x3d import BlockX3D, SEModule
from mmaction.models.common.conv2plus1d import Conv2plus1d
from mmcv.cnn import ConvModule, NonLocal3d, Swish
from mmcv.cnn.bricks import wrappers
from mmengine.model import ModuleList, Sequential
from torch import Tensor, nn

from mmatfr.ragged import (
    Layout,
    Ragged,
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
    Conv2plus1d,
    ConvModule,
    InvertedResidual,
    ModuleList,
    Sequential,
    Swish,
    resnet.BasicBlock,
    resnet.Bottleneck,
    wrappers.Conv2d,
    wrappers.MaxPool2d,
)


@register_ragged_form(SEModule)
class RaggedSEModule(RaggedSqueezeExcitation):
    """X3D's squeeze-excitation, per clip."""

    def gate(self, mean: Tensor) -> Tensor:
        return self.sigmoid(self.fc2(self.relu(self.fc1(mean))))


@register_ragged_form(NonLocal3d)
class RaggedNonLocal3d(Ragged):
    """The non-local block: each position attends to those of its own clip."""

    @classmethod
    def refusal(cls, module: nn.Module) -> Optional[str]:
        if not isinstance(module, NonLocal3d):  # which share their forward
            return 'only NonLocal3d has one'
        return None

    def forward_ragged(self, x: Tensor, layout: Layout) -> Tensor:
        theta = x if self.mode == 'gaussian' else self.theta(x)
        phi = (
            x
            if self.mode == 'gaussian' and not self.sub_sample
            else self.phi(x)
        )
        clips = zip(*(layout.split(part) for part in (theta, phi, self.g(x))))
        y = torch.cat([self._attend(*clip) for clip in clips], dim=2)
        return x + self.conv_out(y)

    def _attend(self, theta: Tensor, phi: Tensor, g: Tensor) -> Tensor:
        """Mixes the positions of one clip, (1, C, T, H, W) each."""
        shape = theta.shape[2:]
        theta, phi, g = (part.flatten(2) for part in (theta, phi, g))
        if self.mode == 'concatenation':
            weight = self.concatenation(theta[..., None], phi[:, :, None])
        else:
            weight = getattr(self, self.mode)(theta.transpose(1, 2), phi)
        y = weight @ g.transpose(1, 2)
        return y.transpose(1, 2).unflatten(2, shape)


@register_ragged_form(TemporalShift)
class RaggedTemporalShift(Ragged):
    """TSM's shift: between neighbouring groups of the same clip."""

    converts_children = True

    def forward_ragged(self, x: Tensor, layout: Layout) -> Tensor:
        fold = x.shape[1] // self.shift_div
        first, last = layout.edges(x.device)
        from_next = x[:, :fold].roll(-1, dims=0).index_fill(0, last, 0)
        from_last = x[:, fold : 2 * fold].roll(1, dims=0)
        from_last = from_last.index_fill(0, first, 0)
        return self.net(
            torch.cat([from_next, from_last, x[:, 2 * fold :]], dim=1)
        )


@register_ragged_form(NL3DWrapper)
class RaggedNL3DWrapper(Ragged):
    """A block of TSM and the non-local block that follows it."""

    converts_children = True

    def forward_ragged(self, x: Tensor, layout: Layout) -> Tensor:
        x = self.block(x).transpose(0, 1)[None]
        return self.non_local_block(x)[0].transpose(0, 1).contiguous()
