"""Folds normalization into kernels, once, for inference."""

from itertools import pairwise
from typing import Dict, Iterator, List, Self, Tuple

import torch.nn.functional as F
from mmaction.models.backbones.x3d import BlockX3D
from mmaction.models.common.conv2plus1d import Conv2plus1d
from mmcv.cnn import ConvModule, is_norm
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_weights

from mmatfr.ragged import add_mixin
from mmatfr.sgs import SGS

from .backbones import ATFR
from .fast_forms import accelerate

__all__ = ['fuse']


def fuse(model: nn.Module) -> nn.Module:
    """Prepares a network for the fastest inference in eager mode.

    It folds normalization into the kernels and switches modules to their
    fastest forms, some of which work in place; results are equal up to
    rounding. The network is changed in place, as by mmcv's ``fuse_conv_bn``;
    ``fuse(copy.deepcopy(model))`` keeps the original. A fused network is for
    inference only: ``train()`` raises an error, and parameters require no
    gradient.

    The state dict then has the folded kernels and biases instead of the
    normalization. Load weights first; loading those of an unfused network
    afterwards raises an error. A fused network can be copied and pickled.

    Args:
        model (nn.Module): A recognizer with a backbone of ``mmatfr``, with or
            without sampling, or such a backbone, in evaluation mode.

    Returns:
        nn.Module: The same network.

    Raises:
        ValueError: If there is no such backbone, a module is in training mode,
            or a normalization cannot be folded. The network is then unchanged.

    Examples:
        >>> import torch
        >>> from mmatfr.models import ATFRX3D, fuse
        >>> backbone = fuse(ATFRX3D(gamma_b=2.25, sgs=dict(stage=1)).eval())
        >>> backbone(torch.rand(2, 3, 16, 64, 64)).shape
        torch.Size([2, 432, 1, 2, 2])
    """
    backbones = [m for m in model.modules() if isinstance(m, ATFR)]
    if not backbones:
        raise ValueError(
            f'{type(model).__name__} has no backbone of mmatfr to fuse; build '
            "it with one, e.g. type='ATFRX3D', sgs=None"
        )
    for name, module in model.named_modules():
        if module.training:
            raise ValueError(
                f'cannot fuse {type(model).__name__}: '
                f'{f"`{name}`" if name else "it"} is in training mode; call '
                'eval() first'
            )
    backbones = [m for m in backbones if not isinstance(m, Fused)]
    found = [_find_norms(backbone) for backbone in backbones]
    for backbone, norms in zip(backbones, found, strict=True):
        for conv, name in norms:
            _fold(backbone, conv, name)
        if backbone.channels_last is None:
            backbone.channels_last = _is_on_cpu(backbone)
        if backbone.channels_last:
            accelerate(backbone)
        _put_in_place(backbone)
        fused = add_mixin(backbone, Fused)
        fused.folded = tuple(name for _, name in norms)
    if not isinstance(model, Fused):
        add_mixin(model, Fused)
    return model.requires_grad_(False)


class Fused(nn.Module):
    """Mixin: a network with folded normalization, for inference.

    Attributes:
        folded (tuple[str]): Names of the normalizations.
    """

    folded: Tuple[str, ...] = ()

    def train(self, mode: bool = True) -> Self:
        """Raises an error for training mode.

        Raises:
            RuntimeError: If ``mode`` is True.
        """
        if mode:
            raise RuntimeError(
                'a fused network cannot be trained: its normalization is '
                'folded into the kernels; train the original network'
            )
        super().train(mode)
        return self

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        for name in self.folded:
            if f'{prefix}{name}.running_mean' in state_dict:
                raise RuntimeError(
                    f'these weights have the normalization `{prefix}{name}`, '
                    'which the fused network no longer has; load them before '
                    'fusing'
                )
        super()._load_from_state_dict(state_dict, prefix, *args)


def _find_norms(backbone: nn.Module) -> List[Tuple[nn.Module, str]]:
    """Finds each convolution and the name of its normalization.

    Raises:
        ValueError: If a normalization cannot be folded.
    """
    foldable: Dict[nn.Module, List[nn.Module]] = {}
    for module in backbone.modules():
        for conv, norm in _pairs_of(module):
            foldable.setdefault(norm, []).append(conv)
    skipped = {
        part
        for layer in backbone.modules()
        if isinstance(layer, SGS)  # small, and without a kernel
        for part in layer.modules()
    }
    found = []
    for name, norm in backbone.named_modules():
        if norm in skipped or not is_norm(norm):
            continue
        convs = foldable.get(norm, [])
        why = _refusal(norm, convs)
        if why:
            raise ValueError(
                f'cannot fuse {type(backbone).__name__}: `{name}` '
                f'({type(norm).__name__}) {why}'
            )
        found.append((convs[0], name))
    return found


def _pairs_of(module: nn.Module) -> Iterator[Tuple[nn.Module, nn.Module]]:
    """Yields the convolutions of a module with their normalizations."""
    if isinstance(module, ConvModule):
        order = module.order
        if module.with_norm and order.index('norm') == 1 + order.index('conv'):
            conv = getattr(module.conv, 'net', module.conv)  # within a shift
            # (2+1)D: the last convolution.
            yield getattr(conv, 'conv_t', conv), module.norm
    elif isinstance(module, Conv2plus1d):
        yield module.conv_s, module.bn_s
    elif isinstance(module, nn.Sequential):
        yield from pairwise(module)


def _refusal(norm: nn.Module, convs: List[nn.Module]) -> str:
    """Returns why a normalization cannot be folded; '' if it can."""
    if not isinstance(norm, _BatchNorm):
        return 'is not a batch normalization; only that can be folded'
    if norm.running_mean is None:
        return 'normalizes by the batch; only running statistics can be folded'
    if len(convs) != 1 or not isinstance(convs[0], (nn.Conv2d, nn.Conv3d)):
        return (
            'does not directly follow a separate convolution in a '
            'ConvModule, Conv2plus1d or nn.Sequential'
        )
    if 'weight' not in convs[0]._parameters:
        return 'follows a convolution with a computed weight'
    return ''


def _is_on_cpu(module: nn.Module) -> bool:
    return all(p.device.type == 'cpu' for p in module.parameters())


def _fold(backbone: nn.Module, conv: nn.Module, name: str) -> None:
    norm = backbone.get_submodule(name)
    # Ensured by `_refusal`.
    assert isinstance(conv, (nn.Conv2d, nn.Conv3d))
    assert isinstance(norm, _BatchNorm)
    assert norm.running_mean is not None and norm.running_var is not None
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
    owner, _, attribute = name.rpartition('.')
    setattr(backbone.get_submodule(owner), attribute, nn.Identity().eval())


def _put_in_place(backbone: nn.Module) -> None:
    """Makes activations of X3D work in place where the input is unused."""
    for module in backbone.modules():
        if isinstance(module, BlockX3D):
            add_mixin(module.swish, InPlaceSwish)


class InPlaceSwish(nn.Module):
    """Mixin: ``Swish`` in place."""

    def forward(self, x: Tensor) -> Tensor:
        """Runs the module on feature maps."""
        return F.silu(x, inplace=True)
