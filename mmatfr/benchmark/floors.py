"""The least time that a machine needs for given operations."""

from typing import Callable, NamedTuple, Sequence

import torch

from mmatfr.cost import Operation

from .timing import time_in_turns

__all__ = ['Floors', 'Machine', 'floors_of', 'measure_machine']

_BYTES = 4  # of a float32
_MATRIX = dict(cpu=2048, cuda=8192)
_COPIED = 2**26  # numbers, 256 MiB


class Machine(NamedTuple):
    """What a device can do at best, in float32.

    Attributes:
        gflops_per_second (float): Giga multiply-adds, of a matrix product.
        bytes_per_second (float): Read and written together, of a copy.
    """

    gflops_per_second: float
    bytes_per_second: float


class Floors(NamedTuple):
    """The least seconds that operations take.

    Attributes:
        operations (float): If only their multiply-adds counted.
        bytes (float): If only the numbers counted that they move; what lies
            between them, such as normalisation and activation, is taken to be
            free.
        both (float): If each operation took the longer of its two, one after
            the other: the roofline of each, added up.
    """

    operations: float
    bytes: float
    both: float


def measure_machine(device: str = 'cpu', calls: int = 10) -> Machine:
    """Measures what a device can do.

    Args:
        device (str): Which. Defaults to 'cpu'.
        calls (int): How many times each is tried; the fastest counts.
            Defaults to 10.

    Returns:
        Machine: Its speeds.
    """
    size = _MATRIX[torch.device(device).type]
    a, b = torch.randn(2, size, size, device=device)
    product = torch.empty_like(a)
    source = torch.randn(_COPIED, device=device)
    copy = torch.empty_like(source)
    return Machine(
        size**3 / 1e9 / _fastest(lambda: torch.mm(a, b, out=product), calls),
        2 * _BYTES * _COPIED / _fastest(lambda: copy.copy_(source), calls),
    )


def floors_of(operations: Sequence[Operation], machine: Machine) -> Floors:
    """Computes the floors of operations.

    Args:
        operations (Sequence[Operation]): What is run.
        machine (Machine): What it is run on.

    Returns:
        Floors: In seconds.
    """
    pairs = [
        (
            operation.gflops / machine.gflops_per_second,
            _BYTES * operation.numbers / machine.bytes_per_second,
        )
        for operation in operations
    ]
    return Floors(
        sum(compute for compute, _ in pairs),
        sum(memory for _, memory in pairs),
        sum(map(max, pairs)),
    )


def _fastest(function: Callable[[], object], calls: int) -> float:
    (seconds,) = time_in_turns({'': function}, calls).values()
    return min(seconds)
