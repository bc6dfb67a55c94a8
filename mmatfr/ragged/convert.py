"""Conversion of a network's modules to their ragged forms, in place."""

from typing import Dict, Type

from torch import nn

from .checkpoint import RaggedCheckpoint
from .mixins import add_mixin, has_mixin
from .modules import RAGGED_FORMS, Ragged
from .route import Places, Route

__all__ = [
    'convert_ragged',
    'describe_refusals',
    'find_refusals',
    'register_per_frame',
]

# Modules with a forward that treats frames independently. Their children are
# checked separately.
_PER_FRAME = {
    module.forward
    for module in (
        nn.Module,
        nn.Sequential,
        nn.Identity,
        nn.Conv2d,
        nn.MaxPool2d,
        nn.AvgPool2d,
        nn.AdaptiveAvgPool2d,
        nn.AdaptiveMaxPool2d,
        nn.BatchNorm3d,
        nn.SyncBatchNorm,
        nn.Dropout,
        nn.ReLU,
        nn.ReLU6,
        nn.LeakyReLU,
        nn.PReLU,
        nn.ELU,
        nn.SELU,
        nn.CELU,
        nn.GELU,
        nn.SiLU,
        nn.Mish,
        nn.Sigmoid,
        nn.Tanh,
        nn.Softplus,
        nn.Hardtanh,
        nn.Hardswish,
        nn.Hardsigmoid,
    )
}


def register_per_frame(*modules: Type[nn.Module]) -> None:
    """Declares that the forward of modules treats frames independently.

    For composite modules the declaration covers only operations other than
    calls of their children, which are checked recursively.

    Args:
        *modules (type[nn.Module]): Their classes.
    """
    _PER_FRAME.update(module.forward for module in modules)


def find_refusals(module: nn.Module, path: str = '') -> Dict[str, str]:
    """Finds the modules that cannot run on packed clips.

    Args:
        module (nn.Module): A part of a network.
        path (str): Its name in the network. Defaults to ''.

    Returns:
        dict[str, str]: The reason by the name of the module.
    """
    if has_mixin(module):
        return {}
    forward, name = type(module).forward, type(module).__name__
    form = RAGGED_FORMS.get(forward)
    if form is not None:
        why = form.refusal(module)
        if why:
            return {path: f'({name}) has no ragged form: {why}'}
        if not form.converts_children:
            return {}
    elif forward not in _PER_FRAME:
        return {
            path: f'({name}) is not known to treat frames independently and '
            'has no ragged form'
        }
    refusals = {}
    for name, child in module.named_children():
        refusals.update(find_refusals(child, f'{path}.{name}'.lstrip('.')))
    return refusals


def describe_refusals(refusals: Dict[str, str]) -> str:
    """Formats the reasons of several modules as one text."""
    return '; '.join(f'`{path}` {why}' for path, why in refusals.items())


def convert_ragged(
    module: nn.Module,
    route: Route,
    places: Places,
    path: str = '',
    alone: bool = True,
) -> nn.Module:
    """Gives every module that mixes frames its ragged form, in place.

    Args:
        module (nn.Module): A part of a network.
        route (Route): Gives the modules the layout of their clips.
        places (Mapping): Places of the modules, from
            :func:`mmatfr.ragged.watch_places`.
        path (str): Its name in the network, for messages. Defaults to ''.
        alone (bool): Whether messages suggest sequential execution. Defaults
            to True.

    Returns:
        nn.Module: The same module.

    Raises:
        ValueError: If a module has no ragged form, or something other than a
            ragged module changes the number of frames.
    """
    way_out = (
        "set execution='sequential', which runs each clip alone, or "
        if alone
        else ''
    )
    refusals = find_refusals(module, path)
    if refusals:
        raise ValueError(
            'cannot run clips of unequal length: '
            f'{describe_refusals(refusals)}; {way_out}give '
            'the module a ragged form with mmatfr.ragged.register_ragged_form '
            '(or register_per_frame, if it treats frames independently)'
        )
    converted: Dict[str, Ragged] = {}
    _convert(module, route, path, converted)
    unreached = route.extend(converted, places)
    if unreached:
        raise ValueError(
            f'before `{unreached[0]}`, a module without a ragged form changes '
            f'the number of frames; {way_out}give it a ragged form with '
            'mmatfr.ragged.register_ragged_form'
        )
    return module


def _convert(
    module: nn.Module, route: Route, path: str, converted: Dict[str, Ragged]
) -> None:
    if has_mixin(module):
        return
    form = RAGGED_FORMS.get(type(module).forward)
    if form is not None:
        converted[path] = add_mixin(module, form.form_of(module))
        converted[path].route = route
    if form is None or form.converts_children:
        for name, child in module.named_children():
            _convert(child, route, f'{path}.{name}'.lstrip('.'), converted)
        if getattr(module, 'with_cp', False):
            add_mixin(module, RaggedCheckpoint).with_cp = False
