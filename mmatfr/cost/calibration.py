"""The number of bins for a budget."""

from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Union,
)

from torch import nn

from mmatfr.sgs import set_num_bins

__all__ = ['pick_bins', 'try_bins']

Row = Dict[str, Any]


def try_bins(
    network: nn.Module,
    numbers: Iterable[Union[int, Mapping[str, int]]],
    measure: Callable[[], Mapping[str, Any]],
) -> List[Row]:
    """Measures a network with several numbers of bins.

    Args:
        network (nn.Module): A network that samples; it keeps the last number.
        numbers (Iterable[int | Mapping[str, int]]): The numbers, as
            :func:`mmatfr.sgs.set_num_bins` takes them.
        measure (Callable): Returns ``gflops``, and whatever else is known.

    Returns:
        list[dict]: What was measured, and the number as ``bins``.
    """
    rows = []
    for number in numbers:
        set_num_bins(network, number)
        rows.append(dict(bins=number, **measure()))
    return rows


def pick_bins(rows: Iterable[Row], gflops: float) -> Optional[Row]:
    """Picks the best of what keeps to a budget.

    Args:
        rows (Iterable[dict]): As :func:`try_bins` returns them.
        gflops (float): The most that a clip may cost on average.

    Returns:
        dict | None: The most accurate, of equally accurate ones the cheapest;
        where ``top1`` is not known, the one that spends most. None if all of
        them take more.
    """
    allowed = [row for row in rows if row['gflops'] <= gflops]
    return max(
        allowed,
        key=lambda row: (row.get('top1', row['gflops']), -row['gflops']),
        default=None,
    )
