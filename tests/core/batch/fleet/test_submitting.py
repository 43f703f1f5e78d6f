"""A batch over hosts as its user holds it."""

import threading

import pytest

from atectl.batch.fleet.address import scheduler_address
from atectl.batch.fleet.submitting import FleetBatch
from atectl.batch.results import ResultQueue
from atectl.capsule.content import Contents
from tests.support.fleets import fleet

pytestmark = [pytest.mark.xdist_group("fleet")]
pytest.importorskip("distributed")


def test_a_batch_may_be_closed_in_the_moment_its_loop_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_joined = threading.Event()
    end, join = ResultQueue.end, threading.Thread.join

    def end_and_linger(results: ResultQueue) -> None:
        end(results)
        is_joined.wait(30)

    def join_lingering(thread: threading.Thread, timeout: float | None = None) -> None:
        is_joined.set()
        join(thread, timeout)

    monkeypatch.setattr(ResultQueue, "end", end_and_linger)
    with fleet() as found:
        batch = FleetBatch(scheduler_address(found.address), Contents(1 << 20))
        batch.connect()
        assert list(batch.run([])) == []
        monkeypatch.setattr(threading.Thread, "join", join_lingering)
        batch.close()
    assert is_joined.is_set()
