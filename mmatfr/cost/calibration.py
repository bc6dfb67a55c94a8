"""Choice of the number of bins for a budget."""

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
        network (nn.Module): A network that samples; it keeps the last number
            of bins.
        numbers (Iterable[int | Mapping[str, int]]): The numbers of bins, as
            for :func:`mmatfr.sgs.set_num_bins`.
        measure (Callable): Returns ``gflops`` and further measurements.

    Returns:
        list[dict]: The measurements, with the number of bins as ``bins``.
    """
    rows = []
    for number in numbers:
        set_num_bins(network, number)
        rows.append(dict(bins=number, **measure()))
    return rows


def pick_bins(rows: Iterable[Row], gflops: float) -> Optional[Row]:
    """Picks the best number of bins within a budget.

    Args:
        rows (Iterable[dict]): Results of :func:`try_bins`.
        gflops (float): Largest allowed mean cost of a clip.

    Returns:
        dict | None: The most accurate row, and the cheapest of equally
        accurate ones; without ``top1``, the most expensive row. None if all
        rows exceed the budget.
    """
    allowed = [row for row in rows if row['gflops'] <= gflops]
    return max(
        allowed,
        key=lambda row: (row.get('top1', row['gflops']), -row['gflops']),
        default=None,
    )
