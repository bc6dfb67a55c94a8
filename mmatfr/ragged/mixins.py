"""Mixins for the class of a built module, in place.

Parameters, buffers, hooks and state-dict keys stay the same (the idiom of
``SyncBatchNorm.convert_sync_batchnorm``, without a new object).
"""

from functools import cache
from typing import Tuple, Type, TypeVar

from torch import nn

__all__ = ['add_mixin', 'base_class', 'has_mixin']


Form = TypeVar('Form', bound=nn.Module)


def add_mixin(module: nn.Module, mixin: Type[Form]) -> Form:
    """Adds a mixin as the first base of a module's class.

    Args:
        module (nn.Module): The module, changed in place.
        mixin (type[nn.Module]): The first base of the new class.

    Returns:
        nn.Module: The same module.
    """
    base, mixins = _parts(type(module))
    module.__class__ = _combine(base, (mixin, *mixins))
    assert isinstance(module, mixin)
    return module


def has_mixin(module: nn.Module) -> bool:
    """Returns whether the class of a module has an added mixin."""
    return hasattr(type(module), '_mixed')


def base_class(module: nn.Module) -> type:
    """The class of a module without added mixins."""
    return _parts(type(module))[0]


def _parts(kind: type) -> Tuple[type, Tuple[type, ...]]:
    return getattr(kind, '_mixed', (kind, ()))


@cache
def _combine(base: type, mixins: Tuple[type, ...]) -> Type[nn.Module]:
    return type(
        f'Ragged{base.__name__}',
        (*mixins, base),
        dict(_mixed=(base, mixins), __reduce__=_reduce),
    )


def _reduce(module: nn.Module):
    # The class cannot be imported by name; pickle and deepcopy rebuild it.
    return _rebuild, _parts(type(module)), module.__dict__


def _rebuild(base: type, mixins: Tuple[type, ...]) -> nn.Module:
    kind = _combine(base, mixins)
    return kind.__new__(kind)
