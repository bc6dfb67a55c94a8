"""Measures time and memory of several functions in one run."""

import os
import statistics
import time
from contextlib import contextmanager
from functools import partial
from typing import (
    Callable,
    Dict,
    Hashable,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    TypeVar,
)

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from mmatfr.sgs import sgs_layers

__all__ = [
    'choose_kernels',
    'peak_memory',
    'time_in_turns',
    'time_per_clip',
    'time_within',
]


Name = TypeVar('Name', bound=Hashable)


def time_in_turns(
    functions: Mapping[Name, Callable[[], object]],
    rounds: int = 5,
    after_call: Optional[Callable[[], object]] = None,
) -> Dict[Name, List[float]]:
    """Times functions in turns, in several rounds.

    Disturbances of the machine then affect all functions alike. The first call
    of each does not count.

    Args:
        functions (Mapping[Hashable, Callable]): The functions, by name.
        rounds (int): How many times. Defaults to 5.
        after_call (Callable, optional): Called after each call, including the
            first ones; its time does not count. Defaults to None.

    Returns:
        dict[Hashable, list[float]]: Seconds of each call.
    """
    seconds: Dict[Name, List[float]] = {name: [] for name in functions}
    for number in range(rounds + 1):
        for name, function in functions.items():
            _synchronize()
            start = time.perf_counter()
            function()
            _synchronize()
            if number:
                seconds[name].append(time.perf_counter() - start)
            if after_call is not None:
                after_call()
    return seconds


def time_within(
    modules: Iterable[nn.Module], function: Callable[[], object]
) -> float:
    """Times the forwards of modules while a function runs.

    Args:
        modules (Iterable[nn.Module]): The modules to time.
        function (Callable): The function, called once.

    Returns:
        float: Seconds, for all modules together.
    """
    seconds = 0.0

    def begin(module: nn.Module, args: tuple) -> None:
        nonlocal seconds
        _synchronize()
        seconds -= time.perf_counter()

    def end(module: nn.Module, args: tuple, out) -> None:
        nonlocal seconds
        _synchronize()
        seconds += time.perf_counter()

    handles = []
    for module in modules:
        handles.append(module.register_forward_pre_hook(begin))
        handles.append(module.register_forward_hook(end))
    try:
        function()
    finally:
        for handle in handles:
            handle.remove()
    return seconds


def time_per_clip(
    recognizers: Mapping[str, nn.Module],
    clips: Mapping[str, Tensor],
    rounds: int = 5,
    batch_sizes: Sequence[int] = (1, 8),
) -> Dict[str, List[float]]:
    """Times recognizers on clips, in turns.

    Args:
        recognizers (Mapping[str, nn.Module]): The recognizers, by name.
        clips (Mapping[str, Tensor]): Normalized input of each recognizer, (N,
            V, ...) for N videos.
        rounds (int): How many times. Defaults to 5.
        batch_sizes (Sequence[int]): Numbers of videos per batch; for each
            recognizer the one with the lowest median counts. Defaults to (1,
            8).

    Returns:
        dict[str, list[float]]: Seconds per video in each round.
    """

    def run(name: str, batch_size: int) -> None:
        with torch.no_grad():
            for batch in clips[name].split(batch_size):
                recognizers[name](batch, mode='tensor', stage='head')

    seconds = time_in_turns(
        {
            (name, size): partial(run, name, size)
            for name in recognizers
            for size in batch_sizes
        },
        rounds,
    )
    return {
        name: min(
            (
                [s / len(clips[name]) for s in seconds[name, size]]
                for size in batch_sizes
            ),
            key=statistics.median,
        )
        for name in recognizers
    }


@contextmanager
def choose_kernels(model: nn.Module) -> Iterator[None]:
    """Lets cuDNN try its kernels if a network has fixed shapes.

    A network that samples gets another shape in almost every batch, so that
    trying takes longer than it saves.

    Args:
        model (nn.Module): The network to run in this context.
    """
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = not sgs_layers(model)
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def peak_memory(function: Callable[[], object], device: str = 'cpu') -> int:
    """Measures the peak memory of tensors while a function runs.

    Args:
        function (Callable): The function to call.
        device (str): The device. Defaults to 'cpu', where torch's profiler
            reports every tensor; on a GPU the allocator does.

    Returns:
        int: Bytes in addition to those allocated before.
    """
    if torch.device(device).type == 'cuda':
        _synchronize()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        function()
        _synchronize()
        return torch.cuda.max_memory_allocated(device) - before
    # Otherwise its library prints at the start and the end.
    os.environ.setdefault('KINETO_LOG_LEVEL', '6')
    with profile(
        activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True
    ) as profiler:
        function()
    changes = sorted(
        (event.start_ns(), event.nbytes())
        for event in profiler.profiler.kineto_results.events()
        if event.name() == '[memory]'
    )
    taken = peak = 0
    for _, change in changes:
        taken += change
        peak = max(peak, taken)
    return peak


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
