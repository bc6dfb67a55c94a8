"""The sampling layers of a recognizer, and clips of given lengths."""

from contextlib import contextmanager
from functools import partial
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

from mmaction.models.recognizers import Recognizer2D
from torch import Tensor, nn

from mmatfr.sgs import SGS, Groups, equal_groups

__all__ = [
    'Lengths',
    'as_lengths',
    'force_lengths',
    'frames_of',
    'get_num_bins',
    'set_num_bins',
    'sgs_layers',
]

# B' of a clip: one number, or one for each layer.
Lengths = Union[int, Sequence[int]]


def sgs_layers(recognizer: nn.Module) -> Dict[str, SGS]:
    """Finds the sampling layers of a recognizer.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2.

    Returns:
        dict[str, SGS]: The layers by name, in the order of
        ``named_modules``, which is that of lengths everywhere.
    """
    return {
        name: module
        for name, module in recognizer.named_modules()
        if isinstance(module, SGS)
    }


def frames_of(recognizer: nn.Module) -> Optional[int]:
    """Number of images that a 2D recognizer takes for a clip.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2.

    Returns:
        int | None: ``num_segments`` of its backbone, 1 where it has none, as
        each image is a clip then; None for a 3D recognizer, which is handed
        clips.
    """
    if not isinstance(recognizer, Recognizer2D):
        return None
    return getattr(recognizer.backbone, 'num_segments', 1)


def as_lengths(length: Lengths, layers: Sequence[str]) -> tuple:
    """Brings the lengths of a clip into one form.

    Args:
        length (int | Sequence[int]): B' of the clip, one for each layer; an
            integer where there is one layer.
        layers (Sequence[str]): Names of the layers.

    Returns:
        tuple[int]: One for each layer; empty where there is none.

    Raises:
        ValueError: If their number is not that of the layers.
    """
    if not layers:
        return ()
    lengths = (length,) if isinstance(length, Integral) else tuple(length)
    if len(lengths) != len(layers):
        raise ValueError(
            f'length={length!r} must be one number for each layer that '
            f'samples: {", ".join(layers)}'
        )
    return tuple(map(int, lengths))


class _Forced:
    """A binning that gives the next lengths to the clips of a batch."""

    def __init__(
        self, binning: Callable[[Tensor], Groups], lengths: Sequence[int]
    ) -> None:
        self.binning = binning
        self.lengths = cycle(lengths)

    def __call__(self, magnitude: Tensor) -> Groups:
        self.binning(magnitude)  # for its time: what it says is not wanted
        return equal_groups(
            magnitude, list(islice(self.lengths, len(magnitude)))
        )


@contextmanager
def force_lengths(
    recognizer: nn.Module, lengths: Sequence[Lengths]
) -> Iterator[None]:
    """Gives clips the lengths that are asked for, whatever is in them.

    The layers do all of their usual work; then frames are grouped in
    stretches of equal size.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2.
        lengths (Sequence[int | Sequence[int]]): B' of each clip, in the
            order in which the clips come, over and over.

    Raises:
        ValueError: If the number of lengths is not that of the layers.

    Examples:
        >>> import torch
        >>> from mmatfr.analysis import force_lengths
        >>> from mmatfr.models import ATFRX3D
        >>> backbone = ATFRX3D(sgs=dict(stage=1)).eval()
        >>> with force_lengths(backbone, [3, 5]):
        ...     _ = backbone(torch.rand(2, 3, 8, 32, 32))
        >>> backbone.lengths.tolist()
        [3, 5]
    """
    layers = sgs_layers(recognizer)
    columns = zip(*(as_lengths(length, list(layers)) for length in lengths))
    own = {layer: layer.binning for layer in layers.values()}
    for layer, column in zip(layers.values(), columns):
        layer.binning = _Forced(layer.binning, column)
    try:
        yield
    finally:
        for layer, binning in own.items():
            layer.binning = binning


def get_num_bins(recognizer: nn.Module) -> Dict[str, Optional[int]]:
    """Reads the numbers of bins of a recognizer.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2.

    Returns:
        dict[str, int | None]: Number of bins B of each layer that samples, by
        its name; None where it is the number of frames.

    Raises:
        ValueError: If nothing samples, or a layer bins in a way of its own.
    """
    layers = sgs_layers(recognizer)
    if not layers:
        raise ValueError('the recognizer has no layer that samples')
    numbers = {}
    for name, layer in layers.items():
        keywords = getattr(layer.binning, 'keywords', {})
        if 'num_bins' not in keywords:
            raise ValueError(
                f'{name} groups frames by {layer.binning!r}, which has no '
                'number of bins'
            )
        numbers[name] = keywords['num_bins']
    return numbers


def set_num_bins(
    recognizer: nn.Module, num_bins: Union[int, Mapping[str, Optional[int]]]
) -> None:
    """Changes the number of bins of a trained recognizer.

    No weight depends on it: one checkpoint serves several budgets.

    Args:
        recognizer (nn.Module): A recognizer of mmaction2.
        num_bins (int | Mapping[str, int | None]): Number of bins B of every
            layer that samples, or of each by its name.

    Raises:
        ValueError: If nothing samples, or a layer bins in a way of its own.
    """
    layers = sgs_layers(recognizer)
    for name in get_num_bins(recognizer):
        number = num_bins if isinstance(num_bins, int) else num_bins[name]
        binning = layers[name].binning
        layers[name].binning = partial(
            binning.func, **{**binning.keywords, 'num_bins': number}
        )
