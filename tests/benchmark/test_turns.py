"""Processes that are timed in turns; their functions must be importable."""

import os
import time

import pytest

from mmatfr.benchmark.turns import (
    TimedProcess,
    Timing,
    median_ratio,
    time_processes,
)


def make_functions():
    return [os.getpid, lambda: sum(range(200_000))]


def refuse():
    raise ValueError('not here')


def fail():
    return [lambda: 1 / 0]


def die():
    os._exit(3)


def spin():
    """Returns a function that leaves a busy thread running."""
    import threading

    def burn():
        while True:
            pass

    return [lambda: threading.Thread(target=burn, daemon=True).start()]


@pytest.fixture
def start():
    processes = []

    def start(make, name='some'):
        processes.append(TimedProcess(name, make))
        return processes[-1]

    yield start
    for process in processes:
        process.close()


def test_each_has_a_process_of_its_own_and_a_time_for_each_round(start):
    processes = [start(make_functions, name).wait() for name in 'ab']
    ids = {process.results[0] for process in processes}
    assert len(ids | {os.getpid()}) == 3
    calls = []
    timings = time_processes(processes, 3, lambda: calls.append(1))
    assert set(timings) == {(name, case) for name in 'ab' for case in (0, 1)}
    assert all(len(taken) == 3 for taken in timings.values())
    assert len(calls) == 12
    for timing in timings['a', 1]:
        assert timing.cpu_seconds > 0 and timing.seconds > 0


def test_a_refusal_is_told_and_a_failure_is_raised(start):
    process = start(refuse).wait()
    assert process.refusal == 'not here' and process.results == []
    with pytest.raises(RuntimeError, match=r"'other' has[\s\S]*by zero"):
        start(fail, 'other').wait()
    with pytest.raises(RuntimeError, match='exit code 3'):
        start(die).wait()


def test_an_idle_process_that_does_not_rest_is_noticed(start):
    process = start(spin).wait()
    time.sleep(0.5)
    assert process.time(0).idle_cpu_seconds > 0.02


def test_ratios_are_of_the_same_round():
    timings = [Timing(seconds, 0, 0) for seconds in (1, 8, 3)]
    others = [Timing(seconds, 0, 0) for seconds in (2, 4, 3)]
    assert median_ratio(timings, others) == dict(median=1, low=0.5, high=2)
