"""Ragged forms of modules of mmaction2 and mmcv."""

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
from torch.autograd.function import once_differentiable

from mmatfr.ragged import (
    Layout,
    Ragged,
    RaggedSqueezeExcitation,
    register_per_frame,
    register_ragged_form,
)
from mmatfr.ragged.modules import RaggedConv3d, RaggedMaxPool3d

# mmcv's wrappers differ from torch's modules only for empty batches.
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

    fc1: nn.Module
    relu: nn.Module
    fc2: nn.Module
    sigmoid: nn.Module

    def gate(self, mean: Tensor) -> Tensor:
        return self.sigmoid(self.fc2(self.relu(self.fc1(mean))))


@register_ragged_form(NonLocal3d)
class RaggedNonLocal3d(Ragged):
    """The non-local block, with attention within each clip."""

    mode: str
    sub_sample: bool
    theta: nn.Module
    phi: nn.Module
    g: nn.Module
    conv_out: nn.Module

    @classmethod
    def refusal(cls, module: nn.Module) -> Optional[str]:
        if not isinstance(module, NonLocal3d):  # others share its forward
            return 'only NonLocal3d has one'
        return None

    def forward_ragged(self, x: Tensor, layout: Layout) -> Tensor:
        theta = x if self.mode == 'gaussian' else self.theta(x)
        phi = (
            x
            if self.mode == 'gaussian' and not self.sub_sample
            else self.phi(x)
        )
        clips = zip(
            *(layout.split(part) for part in (theta, phi, self.g(x))),
            strict=True,
        )
        y = torch.cat([self._attend(*clip) for clip in clips], dim=2)
        return x + self.conv_out(y)

    def _attend(self, theta: Tensor, phi: Tensor, g: Tensor) -> Tensor:
        """Mixes the positions of one clip, (1, C, T, H, W) each."""
        shape = theta.shape[2:]
        theta, phi, g = (part.flatten(2) for part in (theta, phi, g))
        if self.mode == 'concatenation':
            pair = theta[..., None], phi[:, :, None]
        else:
            pair = theta.transpose(1, 2), phi
        weight = getattr(self, self.mode)(*pair)
        y = weight @ g.transpose(1, 2)
        return y.transpose(1, 2).unflatten(2, shape)


@register_ragged_form(TemporalShift)
class RaggedTemporalShift(Ragged):
    """TSM's shift, between neighbouring groups of the same clip.

    Before the sampling it shifts between the frames of a clip. For mmcv it
    acts as its convolution, which may get weights with folded normalization.
    """

    converts_children = True
    net: nn.Conv2d
    num_segments: int
    shift_div: int

    @property
    def weight(self) -> Tensor:
        """Tensor: That of the convolution."""
        return self.net.weight

    @property
    def bias(self) -> Optional[Tensor]:
        """Tensor: That of the convolution."""
        return self.net.bias

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self.shift_clips(x))

    def _conv_forward(
        self, x: Tensor, weight: Tensor, bias: Optional[Tensor]
    ) -> Tensor:
        return self.net._conv_forward(self.shift_clips(x), weight, bias)

    def shift_clips(self, x: Tensor) -> Tensor:
        """Shifts the channels within each clip, (F, C, H, W)."""
        if self.route is None:
            return self._shift_whole(x)
        return self._shift_packed(x)

    @torch.compiler.disable
    def _shift_packed(self, x: Tensor) -> Tensor:
        layout = self.layout_of(x)
        if layout is None:  # e.g. a stage called directly
            return self._shift_whole(x)
        return self._shift(x, *layout.edges(x.device))

    def _shift_whole(self, x: Tensor) -> Tensor:
        frames = torch.arange(len(x), device=x.device)
        step = self.num_segments
        return self._shift(x, frames[::step], frames[step - 1 :: step])

    def _shift(self, x: Tensor, first: Tensor, last: Tensor) -> Tensor:
        return _Shift.apply(x, first, last, int(x.shape[1]) // self.shift_div)


class _Shift(torch.autograd.Function):
    """The shift in one copy, in the memory format of x."""

    @staticmethod
    def forward(
        ctx, x: Tensor, first: Tensor, last: Tensor, fold: int
    ) -> Tensor:
        ctx.save_for_backward(first, last)
        ctx.fold = fold
        return _shift(x, first, last, fold)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):
        first, last = ctx.saved_tensors
        return _shift(grad, first, last, ctx.fold, back=True), None, None, None


def _shift(
    x: Tensor, first: Tensor, last: Tensor, fold: int, back: bool = False
) -> Tensor:
    y = torch.empty_like(x)
    sizes = fold, fold, int(x.shape[1]) - 2 * fold
    from_next, from_last, same = zip(
        y.split(sizes, dim=1), x.split(sizes, dim=1), strict=True
    )
    if back:
        from_next, from_last = from_last, from_next
    to, source = from_next
    to[:-1].copy_(source[1:])
    to.index_fill_(0, last, 0)
    to, source = from_last
    to[1:].copy_(source[:-1])
    to.index_fill_(0, first, 0)
    to, source = same
    to.copy_(source)
    return y


@register_ragged_form(NL3DWrapper)
class RaggedNL3DWrapper(Ragged):
    """A block of TSM and the non-local block that follows it."""

    converts_children = True
    block: nn.Module
    non_local_block: nn.Module

    def forward_ragged(self, x: Tensor, layout: Layout) -> Tensor:
        x = self.block(x)[None].transpose(1, 2)
        return self.non_local_block(x)[0].transpose(0, 1).contiguous()
