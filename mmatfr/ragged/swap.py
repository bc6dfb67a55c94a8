"""Swapping the class of a module in place.

Parameters, buffers, hooks and state-dict keys stay the same (the idiom of
``SyncBatchNorm.convert_sync_batchnorm``, without a new object).
"""

from functools import cache
from typing import Tuple

from torch import nn

__all__ = ['is_swapped', 'swap_class']


def swap_class(module: nn.Module, mixin: type) -> nn.Module:
    """Adds a mixin as the first base of a module's class.

    Args:
        module (nn.Module): The module, changed in place.
        mixin (type): The first base of the new class.

    Returns:
        nn.Module: The same module.
    """
    kind = type(module)
    base, mixins = getattr(kind, '_swapped', (kind, ()))
    module.__class__ = _combine(base, (mixin, *mixins))
    return module


def is_swapped(module: nn.Module) -> bool:
    """Returns whether the class of a module was swapped."""
    return hasattr(type(module), '_swapped')


@cache
def _combine(base: type, mixins: Tuple[type, ...]) -> type:
    return type(
        f'Ragged{base.__name__}',
        (*mixins, base),
        dict(_swapped=(base, mixins), __reduce__=_reduce),
    )


def _reduce(module: nn.Module):
    # The class cannot be imported by name; pickle and deepcopy rebuild it.
    return _rebuild, type(module)._swapped, module.__dict__


def _rebuild(base: type, mixins: Tuple[type, ...]) -> nn.Module:
    kind = _combine(base, mixins)
    return kind.__new__(kind)
