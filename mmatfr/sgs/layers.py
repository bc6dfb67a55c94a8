"""Sampling layers of a network: find them, set bins, force clip lengths."""

from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle, islice
from numbers import Integral
from typing import (
    Callable,
    Dict,
    Iterator,
    Mapping,
    Optional,
    Sequence,
    Union,
)

from torch import Tensor, nn

from .controls import equal_groups
from .grouping import Binning, Groups
from .layer import SGS
from .options import check_integer

__all__ = [
    'Lengths',
    'as_lengths',
    'force_lengths',
    'get_num_bins',
    'set_num_bins',
    'sgs_layers',
]

# B' of a clip: one number, or one per layer.
Lengths = Union[int, Sequence[int]]


def sgs_layers(network: nn.Module) -> Dict[str, SGS]:
    """Finds the sampling layers of a network.

    Args:
        network (nn.Module): A recognizer, backbone or any other module.

    Returns:
        dict[str, SGS]: The layers by name, in the order of ``named_modules``.
        Lengths follow this order everywhere.
    """
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, SGS)
    }


def as_lengths(length: Lengths, layers: Sequence[str]) -> tuple:
    """Converts the lengths of a clip to a tuple.

    Args:
        length (int | Sequence[int]): B' of the clip, one per layer; may be an
            integer if there is one layer.
        layers (Sequence[str]): Names of the layers.

    Returns:
        tuple[int]: One length per layer; empty without layers.

    Raises:
        ValueError: If the number of lengths is not that of the layers, or a
            length is not an integer.
    """
    if not layers:
        return ()
    lengths = (
        (length,) if isinstance(length, (int, Integral)) else tuple(length)
    )
    if len(lengths) != len(layers):
        raise ValueError(
            f'length={length!r} must be one number for each layer that '
            f'samples: {", ".join(layers)}'
        )
    for number in lengths:
        # For mypy an int is not an Integral.
        if not isinstance(number, (int, Integral)):
            raise ValueError(f'length={length!r} must be an integer')
    return tuple(map(int, lengths))


class _Forced:
    """A binning that assigns the next lengths to the clips of a batch."""

    def __init__(
        self, binning: Callable[[Tensor], Groups], lengths: Sequence[int]
    ) -> None:
        self.binning = binning
        self.lengths = cycle(lengths)

    def __call__(self, magnitude: Tensor) -> Groups:
        self.binning(magnitude)  # spends its usual time
        return equal_groups(
            magnitude, list(islice(self.lengths, len(magnitude)))
        )


@contextmanager
def force_lengths(
    network: nn.Module, lengths: Sequence[Lengths]
) -> Iterator[None]:
    """Gives clips the requested lengths, regardless of their content.

    The layers do their usual work, but frames are grouped into stretches of
    equal size.

    Args:
        network (nn.Module): A recognizer, backbone or any other module.
        lengths (Sequence[int | Sequence[int]]): B' of each clip, in the order
            of the clips; repeated in a cycle.

    Raises:
        ValueError: If the number of lengths is not that of the layers.

    Examples:
        >>> import torch
        >>> from mmatfr.sgs import force_lengths
        >>> from mmatfr.models import ATFRX3D
        >>> backbone = ATFRX3D(sgs=dict(stage=1)).eval()
        >>> with force_lengths(backbone, [3, 5]):
        ...     _ = backbone(torch.rand(2, 3, 8, 32, 32))
        >>> backbone.lengths.tolist()
        [3, 5]
    """
    layers = sgs_layers(network)
    columns = zip(
        *(as_lengths(length, list(layers)) for length in lengths), strict=True
    )
    own = {layer: layer.binning for layer in layers.values()}
    for layer, column in zip(layers.values(), columns, strict=True):
        layer.binning = _Forced(layer.binning, column)
    try:
        yield
    finally:
        for layer, binning in own.items():
            layer.binning = binning


def get_num_bins(network: nn.Module) -> Dict[str, Optional[int]]:
    """Reads the numbers of bins of a network.

    Args:
        network (nn.Module): A recognizer, backbone or any other module.

    Returns:
        dict[str, int | None]: Number of bins B of each sampling layer, by
        name; None means the number of frames.

    Raises:
        ValueError: If no layer samples, or a layer has no number of bins.
    """
    layers = sgs_layers(network)
    if not layers:
        raise ValueError('the network has no layer that samples')
    return {
        name: _bins_of(name, layer).num_bins for name, layer in layers.items()
    }


def set_num_bins(
    network: nn.Module, num_bins: Union[int, Mapping[str, Optional[int]]]
) -> None:
    """Changes the number of bins of a trained network.

    No weight depends on it: one checkpoint serves several budgets.

    The config of a recognizer is not changed; ``mmatfr.set_num_bins`` changes
    both.

    Args:
        network (nn.Module): A recognizer, backbone or any other module.
        num_bins (int | Mapping[str, int | None]): Number of bins B, for all
            sampling layers or for each by name.

    Raises:
        ValueError: If no layer samples, a layer has no number of bins, a
            number is not positive, or the names are not those of the layers.
    """
    layers = sgs_layers(network)
    names = list(get_num_bins(network))
    if not isinstance(num_bins, Mapping):
        check_integer('num_bins', num_bins)
        num_bins = dict.fromkeys(names, num_bins)
    elif set(num_bins) != set(names):
        raise ValueError(
            f'num_bins={dict(num_bins)!r} must have a number for each layer '
            f'that samples: {", ".join(names)}'
        )
    for name, number in num_bins.items():
        check_integer(f'num_bins of {name}', number, unset=True)
    for name, number in num_bins.items():
        layer = layers[name]
        layer.binning = replace(_bins_of(name, layer), num_bins=number)


def _bins_of(name: str, layer: SGS) -> Binning:
    if not isinstance(layer.binning, Binning):
        raise ValueError(
            f'{name} groups frames by {layer.binning!r}, which has no '
            'number of bins'
        )
    return layer.binning
