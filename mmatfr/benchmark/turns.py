"""Times functions in separate processes, in turns.

Thread pools, allocators and settings of the processes are independent, and
only one process computes at a time.
"""

import multiprocessing
import statistics
import time
import traceback
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

__all__ = ['Timing', 'TimedProcess', 'median_ratio', 'time_processes']

# One function for each case, made in a process.
Functions = List[Callable[[], Any]]
# After a call, the threads of a pool may stay active for a while.
_PAUSE = 0.02


class Timing(NamedTuple):
    """One call of a function.

    Attributes:
        seconds (float): Wall-clock time.
        cpu_seconds (float): Processor time of all threads of the process.
        idle_cpu_seconds (float): Processor time during the turns of other
            processes; it should be almost zero.
    """

    seconds: float
    cpu_seconds: float
    idle_cpu_seconds: float


class TimedProcess:
    """A process that makes functions and times them on request.

    Args:
        name (str): Name for messages.
        make (Callable): Called in the process, so it must be picklable;
            returns one function for each case.

    Attributes:
        refusal (str, optional): Message of a ValueError or ImportError in
            ``make``; None if it succeeded.
        results (list): Result of the first call of each function.
    """

    def __init__(self, name: str, make: Callable[[], Functions]) -> None:
        self.name = name
        self.refusal: Optional[str] = None
        self.results: List[Any] = []
        context = _context()
        self._pipe, pipe = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(make, pipe), daemon=True
        )
        self._process.start()
        pipe.close()  # so that the end of the process is noticed here

    def wait(self) -> 'TimedProcess':
        """Waits until all functions have been made and called once.

        Raises:
            RuntimeError: If the process fails for another reason than a
                refusal.
        """
        self.refusal, self.results = self._receive()
        return self

    def time(self, case: int) -> Timing:
        """Times a function.

        It is called twice, and the second call is timed; the first one wakes
        threads and refills caches.

        Args:
            case (int): Index of the function.

        Returns:
            Timing: Times of the second call.
        """
        self._pipe.send(case)
        return self._receive()

    def close(self) -> None:
        """Ends the process."""
        self._process.terminate()
        self._process.join()
        self._pipe.close()

    def _receive(self) -> Any:
        try:
            failure, answer = self._pipe.recv()
        except (EOFError, ConnectionError) as error:
            self._process.join()
            raise RuntimeError(
                f'the process of {self.name!r} ended with exit code '
                f'{self._process.exitcode}; -9 usually means that the '
                'machine ran out of memory'
            ) from error
        if failure is not None:
            raise RuntimeError(f'{self.name!r} has failed:\n{failure}')
        return answer


def time_processes(
    processes: Sequence[TimedProcess],
    rounds: int,
    after_call: Callable[[], object] = lambda: None,
) -> Dict[Tuple[str, int], List[Timing]]:
    """Times all functions of all processes, in several rounds.

    Disturbances of the machine then affect all of them alike.

    Args:
        processes (Sequence[TimedProcess]): Processes with functions.
        rounds (int): Number of times that each is timed.
        after_call (Callable): Called after each call.

    Returns:
        dict[tuple, list[Timing]]: One timing for each round, by name of the
        process and index of the function.
    """
    timings: Dict[Tuple[str, int], List[Timing]] = {}
    for _ in range(rounds):
        for process in processes:
            for case in range(len(process.results)):
                timing = process.time(case)
                timings.setdefault((process.name, case), []).append(timing)
                after_call()
                time.sleep(_PAUSE)
    return timings


def median_ratio(
    timings: Sequence[Timing], others: Sequence[Timing]
) -> Mapping[str, float]:
    """Compares times of the same rounds.

    Args:
        timings (Sequence[Timing]): One for each round.
        others (Sequence[Timing]): The divisors.

    Returns:
        dict[str, float]: ``median``, ``low`` and ``high`` of the ratios of
        wall-clock times.
    """
    # Ratios within a round, because disturbances affect both.
    ratios = [
        a.seconds / b.seconds for a, b in zip(timings, others, strict=True)
    ]
    return dict(
        median=statistics.median(ratios), low=min(ratios), high=max(ratios)
    )


def _context() -> Union[SpawnContext, ForkServerContext]:
    """Returns a context whose processes share only imported modules."""
    if 'forkserver' not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context('spawn')
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['mmatfr.deploy.export'])
    return context


def _serve(make: Callable[[], Functions], pipe: Connection) -> None:
    """Makes functions and times the requested ones."""
    try:
        try:
            functions = make()
        except (ValueError, ImportError) as error:
            pipe.send((None, (str(error), [])))
            return
        pipe.send((None, (None, [function() for function in functions])))
        idle_since = time.process_time()
        while True:
            function = functions[pipe.recv()]
            idle = time.process_time() - idle_since
            function()
            cpu, clock = time.process_time(), time.perf_counter()
            function()
            clock = time.perf_counter() - clock
            idle_since = time.process_time()
            pipe.send((None, Timing(clock, idle_since - cpu, idle)))
    except (EOFError, KeyboardInterrupt):
        return  # the other end has closed
    except Exception:
        pipe.send((traceback.format_exc(), None))
