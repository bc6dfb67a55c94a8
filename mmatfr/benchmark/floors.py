"""The least time that a machine needs for given operations."""

import statistics
from contextlib import nullcontext
from functools import partial
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    NamedTuple,
    Sequence,
    Tuple,
)

import torch
from rich.progress import Progress
from torch import Tensor, nn

from mmatfr.apis import build_recognizer
from mmatfr.cost import CostModel, Operation
from mmatfr.sgs import force_lengths, sgs_layers

from .sides import static_model
from .timing import time_in_turns
from .work import draw_lengths, make_noise

__all__ = [
    'Floors',
    'Machine',
    'compare_with_floors',
    'floors_of',
    'measure_machine',
]

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
            between them, such as normalization and activation, is taken to be
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
        operations (Sequence[Operation]): The operations of a forward.
        machine (Machine): The machine that runs them.

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


def compare_with_floors(
    model: Dict[str, Any],
    shape: Sequence[int],
    machine: Machine,
    progress: Progress,
    resolution: float = 0.5,
    clips: int = 8,
    rounds: int = 5,
    device: str = 'cpu',
) -> List[Dict[str, Any]]:
    """Times a recognizer and its base one clip at a time, beside their floors.

    Args:
        model (dict): Model of the config of a recognizer that samples.
        shape (Sequence[int]): (C, T, H, W) of the clips, which are noise.
        machine (Machine): The machine that runs them.
        progress (Progress): Where to show how far it is.
        resolution (float): B'/T of the clips. Defaults to 0.5.
        clips (int): Number of clips of a round. Defaults to 8.
        rounds (int): How often all are timed. Defaults to 5.
        device (str): Where. Defaults to 'cpu'.

    Returns:
        list[dict]: A row for each; times are seconds a clip.
    """
    rows, functions = [], {}
    for side, config in (
        ('base', static_model(model)),
        ('base, channels last', static_model(model, channels_last=True)),
        ('ATFR', model),
    ):
        recognizer = build_recognizer(config)
        cost = CostModel(recognizer)
        (length,) = draw_lengths([resolution], cost.num_frames(shape))
        operations = cost.operations(shape, length)
        rows.append(
            dict(
                side=side,
                gflops=cost.gflops(shape, length),
                megabytes=1e-6 * _BYTES * sum(o.numbers for o in operations),
                floors=floors_of(operations, machine)._asdict(),
            )
        )
        functions[side] = partial(
            _run_each,
            recognizer.to(device),
            make_noise(recognizer, clips, shape, device).split(1),
            length,
        )
    task = progress.add_task('time', total=len(functions) * (rounds + 1))
    seconds = time_in_turns(functions, rounds, lambda: progress.advance(task))
    for row in rows:
        taken = [each / clips for each in seconds[row['side']]]
        row.update(
            seconds=statistics.median(taken),
            seconds_min=min(taken),
            seconds_max=max(taken),
        )
    return rows


def _run_each(
    model: nn.Module, clips: Iterable[Tensor], length: Tuple[int, ...]
) -> None:
    forced = force_lengths(model, [length]) if sgs_layers(model) else None
    with torch.no_grad(), forced or nullcontext():
        for clip in clips:
            model(clip, mode='tensor', stage='head')


def _fastest(function: Callable[[], object], calls: int) -> float:
    (seconds,) = time_in_turns({'': function}, calls).values()
    return min(seconds)
