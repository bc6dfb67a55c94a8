"""Adds sampling to built backbones, and removes it."""

import copy
import sys
from typing import Any, Dict, Optional, Type

from mmaction.models.backbones.x3d import X3D
from mmaction.registry import MODELS
from torch import nn

from mmatfr.ragged import base_class
from mmatfr.sgs import check_choice, sgs_layers

from .atfr import ATFR
from .slowfast import LATERAL_LENGTHS, ATFRResNet3dSlowFast
from .x3d import ATFRX3D

__all__ = ['find_variant', 'plain_backbones', 'restore', 'with_sampling']


def plain_backbones() -> Dict[type, Type[ATFR]]:
    """Lists the backbones that have a variant with sampling.

    Returns:
        dict[type, type]: Every registered class made by
        :func:`mmatfr.models.atfr`, by its base class, and that of torchvision,
        if its video ResNets have been imported.
    """
    kinds = [*MODELS.module_dict.values()]
    if 'torchvision.models.video.resnet' in sys.modules:
        from .video_resnet import ATFRVideoResNet

        kinds.append(ATFRVideoResNet)
    variants = {
        kind.__mro__[1 + kind.__mro__.index(ATFR)]: kind
        for kind in kinds
        if isinstance(kind, type) and issubclass(kind, ATFR)
    }
    # Its base is a subclass of mmaction2's X3D with one more option.
    return {X3D: ATFRX3D, **variants}


def find_variant(backbone: nn.Module) -> Type[ATFR]:
    """Finds the variant of a backbone's class with sampling.

    Args:
        backbone (nn.Module): A backbone without sampling.

    Returns:
        type: A subclass of :class:`ATFR`; the class of the backbone itself if
        it is one.

    Raises:
        ValueError: If there is no variant.
    """
    if isinstance(backbone, ATFR):
        return type(backbone)
    kind = type(backbone)
    variants = plain_backbones()
    if kind not in variants:
        names = ', '.join(sorted(base.__name__ for base in variants))
        raise ValueError(
            f'{kind.__name__} has no variant with sampling; use a recognizer '
            f'with one of {names}, or register one with mmatfr.models.atfr'
        )
    return variants[kind]


def with_sampling(
    backbone: nn.Module,
    sgs: Dict[str, Any],
    readout: str = 'mean',
    execution: str = 'auto',
    channels_last: Optional[bool] = None,
    lateral_length: str = 'longer',
) -> ATFR:
    """Creates a backbone with sampling that shares the weights of another.

    Args:
        backbone (nn.Module): A backbone without sampling; it is not changed.
        sgs (dict): As in :class:`ATFR`.
        readout (str): As in :class:`ATFR`. Defaults to 'mean'.
        execution (str): As in :class:`ATFR`. Defaults to 'auto'.
        channels_last (bool, optional): As in :class:`ATFR`. Defaults to None.
        lateral_length (str): As in :class:`ATFRResNet3dSlowFast`; ignored by
            other backbones. Defaults to 'longer'.

    Returns:
        ATFR: A backbone with the parameters and buffers of the given one, plus
        those of the layers.

    Raises:
        ValueError: If the backbone has no variant with sampling, a module has
            no ragged form, or an option is invalid.
    """
    variant = find_variant(backbone)
    weights = [*backbone.parameters(), *backbone.buffers()]
    sampling = copy.deepcopy(backbone, {id(x): x for x in weights})
    for module in sampling.modules():
        # A previous memory layout may have added mixins.
        module.__class__ = base_class(module)
    sampling.__class__ = variant
    assert isinstance(sampling, ATFR)
    if isinstance(sampling, ATFRResNet3dSlowFast):
        check_choice('lateral_length', lateral_length, LATERAL_LENGTHS)
        sampling.lateral_length = lateral_length
    sampling._set_up(sgs, readout, execution, channels_last)
    device = weights[0].device
    for path in sampling.pathways.values():
        path.layer.to(device).train(sampling.training)
    sampling._plain = (backbone,)  # in a tuple, so that it is not a submodule
    return sampling


def restore(backbone: nn.Module) -> nn.Module:
    """Returns the original backbone of :func:`with_sampling`.

    Args:
        backbone (nn.Module): Result of :func:`with_sampling`.

    Returns:
        nn.Module: The backbone without sampling, with the current weights and
        modes.

    Raises:
        ValueError: If the backbone was not made by :func:`with_sampling`, or
            one of its modules was changed since then.
    """
    if not isinstance(backbone, ATFR) or not hasattr(backbone, '_plain'):
        raise ValueError(
            f'{type(backbone).__name__} was not given sampling by '
            'mmatfr.insert; build it with sgs=None instead'
        )
    (plain,) = backbone._plain
    _refuse_changes(plain, backbone)
    for name, module in plain.named_modules():
        now = backbone.get_submodule(name)
        for weights in ('_parameters', '_buffers'):
            own, current = getattr(module, weights), getattr(now, weights)
            own.update({key: current[key] for key in own if key in current})
        module.training = now.training
    return plain


def _refuse_changes(plain: nn.Module, backbone: nn.Module) -> None:
    """Checks that the backbone still has the modules of the original one."""
    then, now = dict(plain.named_modules()), dict(backbone.named_modules())
    layers = tuple(f'{name}.' for name in sgs_layers(backbone))
    own = {name for name in now if not f'{name}.'.startswith(layers)}
    for name in [*then, *sorted(own - then.keys())]:
        # The backbone itself has another class.
        checks = (_describe, _parameters) if name else (_parameters,)
        for describe in checks:
            before, after = (
                describe(of[name]) if name in of else 'nothing'
                for of in (then, now)
            )
            if before != after:
                place = f'`{name}`' if name else type(plain).__name__
                raise ValueError(
                    f'{place} was changed after mmatfr.insert, from {before} '
                    f'to {after}; set it back, and change modules before '
                    'mmatfr.insert or after mmatfr.remove'
                )


def _describe(module: nn.Module) -> str:
    return f'{base_class(module).__name__}({module.extra_repr()})'


def _parameters(module: nn.Module) -> str:
    shapes = {
        name: None if weights is None else tuple(weights.shape)
        for name, weights in sorted(module._parameters.items())
    }
    return f'parameters {shapes}'
