"""Lower bounds on the time of operations on a machine."""

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

from .timing import choose_kernels, time_in_turns
from .variants import static_model
from .work import draw_lengths, make_noise

__all__ = [
    'LowerBounds',
    'Machine',
    'compare_with_lower_bounds',
    'lower_bounds_of',
    'measure_machine',
]

_BYTES = 4  # of a float32
_MATRIX = dict(cpu=2048, cuda=8192)
_COPIED = 2**26  # numbers, 256 MiB


class Machine(NamedTuple):
    """Peak speeds of a device, in the float32 of its convolutions.

    Attributes:
        gflops_per_second (float): Giga multiply-adds per second of a matrix
            product.
        bytes_per_second (float): Bytes per second of a copy, read and written
            together.
    """

    gflops_per_second: float
    bytes_per_second: float


class LowerBounds(NamedTuple):
    """Lower bounds on the time of operations, in seconds.

    Attributes:
        operations (float): Time of the multiply-adds alone.
        bytes (float): Time of the memory traffic alone; normalization,
            activation and other operations in between count as free.
        both (float): Sum over the operations of the larger of the two, i.e. of
            their rooflines.
    """

    operations: float
    bytes: float
    both: float


def measure_machine(device: str = 'cpu', calls: int = 10) -> Machine:
    """Measures the peak speeds of a device.

    Args:
        device (str): Which. Defaults to 'cpu'.
        calls (int): Number of trials; the fastest counts. Defaults to 10.

    Returns:
        Machine: The speeds.
    """
    size = _MATRIX[torch.device(device).type]
    a, b = torch.randn(2, size, size, device=device)
    product = torch.empty_like(a)
    # On a GPU, convolutions may round their inputs to TF32 by default, unlike
    # products, which would then be no bound.
    own = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    try:
        product_seconds = _fastest(lambda: torch.mm(a, b, out=product), calls)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = own
    source = torch.randn(_COPIED, device=device)
    copy = torch.empty_like(source)
    return Machine(
        size**3 / 1e9 / product_seconds,
        2 * _BYTES * _COPIED / _fastest(lambda: copy.copy_(source), calls),
    )


def lower_bounds_of(
    operations: Sequence[Operation], machine: Machine
) -> LowerBounds:
    """Computes lower bounds on the time of operations.

    Args:
        operations (Sequence[Operation]): The operations of a forward.
        machine (Machine): The machine that runs them.

    Returns:
        LowerBounds: The bounds, in seconds.
    """
    pairs = [
        (
            operation.gflops / machine.gflops_per_second,
            _BYTES * operation.numbers / machine.bytes_per_second,
        )
        for operation in operations
    ]
    return LowerBounds(
        sum(compute for compute, _ in pairs),
        sum(memory for _, memory in pairs),
        sum(map(max, pairs)),
    )


def compare_with_lower_bounds(
    model: Dict[str, Any],
    shape: Sequence[int],
    machine: Machine,
    progress: Progress,
    resolution: float = 0.5,
    clips: int = 8,
    rounds: int = 5,
    device: str = 'cpu',
) -> List[Dict[str, Any]]:
    """Times a recognizer and its base clip by clip, with lower bounds.

    Args:
        model (dict): Model of the config of a recognizer that samples.
        shape (Sequence[int]): (C, T, H, W) of the clips, which are noise.
        machine (Machine): The machine that runs them.
        progress (Progress): Progress bars to update.
        resolution (float): B'/T of the clips. Defaults to 0.5.
        clips (int): Number of clips per round. Defaults to 8.
        rounds (int): Number of rounds. Defaults to 5.
        device (str): The device. Defaults to 'cpu'.

    Returns:
        list[dict]: A row for each network; times are in seconds per clip.
    """
    rows: List[Dict[str, Any]] = []
    functions: Dict[str, Callable[[], None]] = {}
    for variant, config in (
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
                variant=variant,
                gflops=cost.gflops(shape, length),
                megabytes=1e-6 * _BYTES * sum(o.numbers for o in operations),
                lower_bounds=lower_bounds_of(operations, machine)._asdict(),
            )
        )
        functions[variant] = partial(
            _run_each,
            recognizer.to(device),
            make_noise(recognizer, clips, shape, device).split(1),
            length,
        )
    task = progress.add_task('time', total=len(functions) * (rounds + 1))
    seconds = time_in_turns(functions, rounds, lambda: progress.advance(task))
    for row in rows:
        taken = [each / clips for each in seconds[row['variant']]]
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
    with torch.no_grad(), choose_kernels(model), forced or nullcontext():
        for clip in clips:
            model(clip, mode='tensor', stage='head')


def _fastest(function: Callable[[], object], calls: int) -> float:
    (seconds,) = time_in_turns({'': function}, calls).values()
    return min(seconds)
