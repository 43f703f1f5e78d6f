"""What a host process keeps of what it told a server: enough to tell again, and no more."""

import pytest

from atectl.accounting import DAY_S, PERIOD_DAYS
from atectl.ledger_store.redis import session as module
from atectl.ledger_store.redis.session import KEPT_S, Sent
from tests.support.lease_records import NOW, finish, make_lease


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sent(clock: Clock) -> Sent:
    return Sent(clock)


def ids(sent: Sent) -> list[str]:
    return [lease.id for lease in sent.all()]


def test_an_ended_lease_is_kept_for_a_minute(sent: Sent, clock: Clock) -> None:
    sent.add([finish(make_lease(id="a")), finish(make_lease(id="b"))])
    clock.now = KEPT_S
    sent.add([make_lease(id="c")])
    assert ids(sent) == ["a", "b", "c"]
    clock.now += 0.1
    sent.add([])
    assert ids(sent) == ["c"]


def test_a_lease_that_runs_is_kept(sent: Sent, clock: Clock) -> None:
    sent.add([make_lease(id="a")])
    clock.now = 10 * KEPT_S
    sent.add([])
    assert ids(sent) == ["a"]


def test_the_last_state_counts_and_comes_last(sent: Sent) -> None:
    sent.add([make_lease(id="a", fuel=1), make_lease(id="b")])
    sent.add([make_lease(id="a", fuel=2)])
    assert [(lease.id, lease.fuel) for lease in sent.all()] == [("b", 100), ("a", 2)]


def test_no_more_are_kept_than_a_ledger_keeps(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HISTORY_LEASES", 3)
    sent.add(make_lease(id=f"l{n}") for n in range(3))
    assert ids(sent) == ["l0", "l1", "l2"]
    sent.add([make_lease(id="l3")])
    assert ids(sent) == ["l1", "l2", "l3"]


class TestEarliest:
    """The first moment that something new can be of."""

    def test_of_a_new_lease_it_is_its_start(self, sent: Sent) -> None:
        assert sent.earliest([make_lease(started_at=NOW - 5, updated_at=NOW)]) == NOW - 5

    def test_of_a_lease_whose_clock_went_back_it_is_what_it_told_last(self, sent: Sent) -> None:
        sent.add([make_lease(started_at=NOW, updated_at=NOW - 9)])
        assert sent.earliest([make_lease(started_at=NOW, updated_at=NOW)]) == NOW - 9

    def test_it_is_no_day_of_which_no_sums_are_kept(self, sent: Sent) -> None:
        ancient = make_lease(started_at=0.0, updated_at=NOW)
        assert sent.earliest([ancient]) == NOW - PERIOD_DAYS * DAY_S
