"""Seconds of several functions, taken in turns in one run."""

import time
from typing import Callable, Dict, List, Mapping

import torch

__all__ = ['time_in_turns']


def time_in_turns(
    functions: Mapping[str, Callable[[], object]], rounds: int = 5
) -> Dict[str, List[float]]:
    """Times functions one after the other, over and over.

    What disturbs the machine disturbs all of them alike. The first call of
    each is not counted.

    Args:
        functions (Mapping[str, Callable]): What to call, by name.
        rounds (int): How many times. Defaults to 5.

    Returns:
        dict[str, list[float]]: Seconds of each call.
    """
    for function in functions.values():
        function()
    seconds: Dict[str, List[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            _synchronize()
            start = time.perf_counter()
            function()
            _synchronize()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
