"""Checks of the batches that prepare a network."""

from typing import Iterable, Iterator, Tuple, TypeVar

from torch import Tensor

__all__ = ['numbered', 'refuse_not_finite']

Batch = TypeVar('Batch')


def numbered(batches: Iterable[Batch]) -> Iterator[Tuple[int, Batch]]:
    """Numbers batches from 0, and requires at least one.

    Args:
        batches (Iterable): The batches, as from a data loader.

    Yields:
        tuple[int, Any]: Number and batch.

    Raises:
        ValueError: At the end, if there was none.
    """
    number = -1
    for number, batch in enumerate(batches):
        yield number, batch
    if number < 0:
        raise ValueError(
            'there is no batch of clips: the list is empty, or a data loader '
            'with drop_last=True has fewer videos than a batch; give more '
            'videos, or a smaller batch_size'
        )


def refuse_not_finite(number: int, what: str, *values: Tensor) -> None:
    """Checks what a network computes from a batch.

    Args:
        number (int): Number of the batch.
        what (str): What the values are, for the message.
        *values (Tensor): The values.

    Raises:
        ValueError: If one is NaN or infinite.
    """
    if not all(value.isfinite().all() for value in values):
        raise ValueError(
            f'{what} of batch {number} (the first is 0) are not finite; look '
            'for NaN in its clips and in the weights of the network'
        )
