"""Functions in separate processes, timed in turns.

Thread pools, allocators and settings of one process do not touch those of
another, and only one process computes at a time.
"""

import multiprocessing
import statistics
import time
import traceback
from multiprocessing.connection import Connection
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
)

__all__ = ['Timing', 'TimedProcess', 'median_ratio', 'time_processes']

# What a process makes: one function for each case.
Functions = List[Callable[[], Any]]
# Threads of a pool may look for more work for a while after a call.
_PAUSE = 0.02


class Timing(NamedTuple):
    """One call of a function.

    Attributes:
        seconds (float): By the clock.
        cpu_seconds (float): Of the processor, all threads of the process.
        idle_cpu_seconds (float): Of the processor, while others had their
            turn: more than a little would disturb them.
    """

    seconds: float
    cpu_seconds: float
    idle_cpu_seconds: float


class TimedProcess:
    """A process that makes functions and times one of them when told.

    Args:
        name (str): For errors.
        make (Callable): Called in the process, so it has to be picklable;
            returns one function for each case.

    Attributes:
        refusal (str, optional): Why ``make`` has refused: the message of its
            ValueError or ImportError. None if there are functions.
        results (list): What the first call of each function returned.
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
        pipe.close()  # so that its end is noticed here

    def wait(self) -> 'TimedProcess':
        """Waits until the functions are made and have run once.

        Raises:
            RuntimeError: If that fails for another reason than a refusal.
        """
        self.refusal, self.results = self._receive()
        return self

    def time(self, case: int) -> Timing:
        """Times a function.

        It is called twice and the second call is timed: the first one wakes
        threads and fetches what others have displaced from the caches.

        Args:
            case (int): Place of the function.

        Returns:
            Timing: Of the second call.
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
                f'the process of {self.name!r} has ended with exit code '
                f'{self._process.exitcode}; -9 is that of a machine without '
                'memory left'
            ) from error
        if failure is not None:
            raise RuntimeError(f'{self.name!r} has failed:\n{failure}')
        return answer


def time_processes(
    processes: Sequence[TimedProcess],
    rounds: int,
    after_call: Callable[[], object] = lambda: None,
) -> Dict[Tuple[str, int], List[Timing]]:
    """Times all functions of all processes, over and over.

    What disturbs the machine disturbs all of them alike.

    Args:
        processes (Sequence[TimedProcess]): That have functions.
        rounds (int): How many times each is timed.
        after_call (Callable): Called after each.

    Returns:
        dict[tuple, list[Timing]]: By name of the process and place of the
        function, one for each round.
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
        dict[str, float]: ``median``, ``low`` and ``high`` of the ratios by
        the clock.
    """
    # Of the same round: what disturbs it disturbs both.
    ratios = [
        a.seconds / b.seconds for a, b in zip(timings, others, strict=True)
    ]
    return dict(
        median=statistics.median(ratios), low=min(ratios), high=max(ratios)
    )


def _context() -> multiprocessing.context.BaseContext:
    """New processes that share nothing but imported modules, if possible."""
    if 'forkserver' not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context('spawn')
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['mmatfr.deploy.export'])
    return context


def _serve(make: Callable[[], Functions], pipe: Connection) -> None:
    """Makes functions and times those that are asked for."""
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
        return  # the other end is gone
    except Exception:
        pipe.send((traceback.format_exc(), None))
