"""Results on their way to whoever reads them."""

import threading

from atectl.accounting import Reading
from atectl.batch.cells.outputs import Captured, Output
from atectl.batch.job import JobResult
from atectl.batch.results import (
    LEAST_GATHERED_S,
    MOST_GATHERED_S,
    MOST_UNREAD_BYTES,
    ResultQueue,
)
from atectl.lease.outcome import exited


def result(job: int) -> JobResult:
    return JobResult(job, exited(0), Reading(0, 0, 0, 0, 0, 0.0), 0.0, 0.0, 0, ())


def test_results_come_in_the_order_in_which_they_were_told() -> None:
    results = ResultQueue(threading.Event())
    results.put(result(2))
    results.put(result(1))
    assert [results.next(0), results.next(0), results.next(0)] == [result(2), result(1), None]


def test_more_are_said_to_be_there_only_while_they_are() -> None:
    results = ResultQueue(threading.Event())
    assert not results.has_more
    results.put(result(1))
    assert results.has_more
    results.next(0)
    assert not results.has_more


def test_a_reader_who_waits_is_woken_although_there_is_no_result() -> None:
    results = ResultQueue(threading.Event())
    woken: list[JobResult | None] = []
    reader = threading.Thread(target=lambda: woken.append(results.next(60)))
    reader.start()
    results.wake()
    reader.join(30)
    assert woken == [None]


def test_it_is_over_once_it_has_ended_and_all_was_read() -> None:
    results = ResultQueue(threading.Event())
    results.put(result(1))
    assert not results.is_over
    results.end()
    results.end()
    assert not results.is_over
    assert [results.next(0), results.next(0), results.next(0)] == [result(1), None, None]
    assert results.is_over


class Clock(threading.Event):
    """Takes no time, and notes how long it was waited for; so many results come meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s: list[float] = []
        self.results: ResultQueue | None = None
        self.to_come = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waited_s.append(timeout or 0.0)
        for job in range(self.to_come):
            assert self.results is not None
            self.results.put(result(job))
        return False


def gather(to_come: list[int]) -> list[float]:
    """How long is waited each time, when so many results come each time."""
    clock = Clock()
    results = clock.results = ResultQueue(clock)
    for clock.to_come in to_come:
        results.gather()
        while results.next(0) is not None:
            pass
    return clock.waited_s


def test_a_reader_does_not_wait_while_there_is_a_result() -> None:
    clock = Clock()
    results = ResultQueue(clock)
    results.put(result(1))
    results.gather()
    assert clock.waited_s == []


def test_a_reader_waits_shortly_where_few_results_come() -> None:
    assert gather([0, 1, 1, 0]) == [LEAST_GATHERED_S] * 4


def test_a_reader_waits_longer_each_time_that_several_came_up_to_a_bound() -> None:
    waited_s = gather([2] * 10)
    assert waited_s[:3] == [LEAST_GATHERED_S, 2 * LEAST_GATHERED_S, 4 * LEAST_GATHERED_S]
    assert waited_s[-1] == MOST_GATHERED_S


def test_a_reader_waits_shortly_again_once_few_come() -> None:
    assert gather([2, 2, 1, 1])[2:] == [4 * LEAST_GATHERED_S, LEAST_GATHERED_S]


def test_it_is_full_while_what_guests_made_is_too_large_and_unread() -> None:
    results = ResultQueue(threading.Event())
    half = MOST_UNREAD_BYTES // 2
    returned = result(1)._replace(outcome=exited(0, ("x" * half,)))
    written = result(2)._replace(output=Output(Captured(bytes(half), half)))
    results.put(returned)
    assert not results.is_full
    results.put(written)
    assert results.is_full
    assert results.next(0) == returned
    assert not results.is_full
