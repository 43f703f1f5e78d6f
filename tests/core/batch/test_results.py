"""Results on their way to whoever reads them."""

import threading

from atectl.accounting import Reading
from atectl.batch.cells.outputs import Captured, Output
from atectl.batch.job import JobResult
from atectl.batch.results import MOST_UNREAD_BYTES, ResultQueue
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


class Counting(threading.Event):
    waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waits += 1
        return super().wait(timeout)


def test_a_reader_gathers_unless_there_is_a_result_at_once() -> None:
    closing = Counting()
    results = ResultQueue(closing)
    results.put(result(1))
    results.gather()
    assert closing.waits == 0
    results.next(0)
    results.gather()
    assert closing.waits == 1


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
