"""Memory for compiling: who waits for it, who gets how much, and who gives it back for leases."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from atectl.accounting import Budget
from atectl.arbitration.arbiter import Arbiter
from atectl.arbitration.compile_room import BESIDE_BYTES, LEAST_BYTES
from atectl.arbitration.compiles import MOST_YIELDS, Ask, Grant
from atectl.arbitration.policies import rules
from atectl.arbitration.wording import Abortion
from tests.support.tenants import GuestPlace, Tenant, seated
from tests.support.waiting import wait_until

MIB = 1 << 20
BUDGET = Budget(1000 * MIB)  # soft 800, resume 700
BASELINE = 100 * MIB
MOST = 1 << 40


class Lease(Tenant):
    """One that is not to be ended."""

    def abort(self, abortion: Abortion) -> None:
        raise AssertionError(abortion)


class Host:
    """An arbiter with room for compiling, whose own memory the test says."""

    def __init__(
        self, at_once: int = 2, backpressure: str = "park", most_bytes: int = MOST
    ) -> None:
        self.resident = BASELINE
        self.measured = 0
        self.arbiter = Arbiter(BUDGET, rules(backpressure), lambda: None, resident=self._measure)
        self.arbiter.measure_baseline()
        self.room = self.arbiter.compile_room(at_once, most_bytes)
        self._leases = 0

    def _measure(self) -> int:
        self.measured += 1
        return self.resident

    def lease(self, held_bytes: int = 0) -> GuestPlace:
        self._leases += 1
        place = seated(self.arbiter, Lease(), self._leases)
        assert not held_bytes or place.admit(held_bytes)
        return place

    def begin(self, needed_bytes: int, principal: str = "some") -> Grant:
        return self.begin_again(Ask(principal, needed_bytes))

    def begin_again(self, ask: Ask) -> Grant:
        grant = self.room.enter(ask, lambda: True)
        assert grant is not None
        return grant

    @contextmanager
    def beginning(self, needed_bytes: int, principal: str = "some") -> Iterator[list[Grant]]:
        """One that has to wait; what it was granted is there once it was, and at the end."""
        found: list[Grant] = []

        def begin() -> None:
            found.append(self.begin(needed_bytes, principal))

        thread = threading.Thread(target=begin)
        thread.start()
        wait_until(lambda: self.is_in_line(principal))
        yield found
        thread.join()
        assert found

    def is_in_line(self, principal: str) -> bool:
        first = self.arbiter._enforcer.compiles.first_in_line
        return principal in {ask.principal for ask in first}


def held(place: GuestPlace, added_bytes: int) -> threading.Thread:
    """A lease that asks for more than there is, until it is let go on."""
    thread = threading.Thread(target=place.admit, args=(added_bytes,))
    thread.start()
    wait_until(lambda: place.seat.is_held)
    return thread


def told(grant: Grant) -> tuple[int, int, bool]:
    return grant.granted_bytes // MIB, grant.most_bytes // MIB, grant.has_all


# Beginning


def test_one_that_cannot_begin_anyway_measures_nothing() -> None:
    host = Host(at_once=1)
    host.begin(MIB)
    looks, before = iter([True, True, False]), host.measured
    assert host.room.enter(Ask("some", MIB), lambda: next(looks)) is None
    assert host.measured == before


def test_what_fits_begins_with_what_it_needs_and_counts_in_the_pressure() -> None:
    host = Host()
    grant = host.begin(50 * MIB)
    assert told(grant) == (50, 884, False)
    assert host.arbiter.pressure.compiling_bytes == 50 * MIB + BESIDE_BYTES
    host.room.leave(grant)
    assert host.arbiter.pressure.compiling_bytes == 0


def test_no_more_begin_at_once_than_may() -> None:
    host = Host(at_once=1)
    first = host.begin(MIB)
    with host.beginning(MIB) as second:
        assert not second
        host.room.leave(first)
    assert second


def test_what_does_not_fit_below_soft_waits_until_it_does() -> None:
    host = Host()
    place = host.lease(500 * MIB)
    with host.beginning(200 * MIB) as waiting:
        place.give_back(16 * MIB)
    assert told(waiting[0]) == (200, 884, False)


def test_another_principal_is_not_kept_waiting_by_one_that_does_not_fit() -> None:
    host = Host()
    place = host.lease(500 * MIB)
    with host.beginning(300 * MIB, "large"):
        assert told(host.begin(20 * MIB, "small"))[0] == 20
        place.leave()


def test_what_is_behind_one_of_its_own_principal_waits_for_that() -> None:
    host = Host()
    place = host.lease(500 * MIB)
    with host.beginning(300 * MIB):
        given_up = threading.Event()
        second = threading.Thread(
            target=host.room.enter, args=(Ask("some", MIB), lambda: not given_up.is_set())
        )
        second.start()
        assert host.begin(MIB, "other")
        assert second.is_alive()
        given_up.set()
        second.join()
        place.leave()


def test_alone_it_may_have_all_up_to_the_limit() -> None:
    grant = Host().begin(2000 * MIB)
    assert told(grant) == (884, 884, True)
    assert grant.granted_bytes + BESIDE_BYTES + BASELINE == BUDGET.limit_bytes


def test_alone_one_begins_however_little_is_left() -> None:
    host = Host()
    host.resident = 2000 * MIB
    assert host.begin(50 * MIB).granted_bytes == LEAST_BYTES


def test_it_never_gets_more_than_compiling_may_take() -> None:
    assert told(Host(most_bytes=30 * MIB).begin(50 * MIB)) == (30, 30, False)


def test_nothing_begins_while_a_lease_is_held_for_want_of_memory() -> None:
    host = Host()
    first, second = host.lease(600 * MIB), host.lease(20 * MIB)
    waiting = held(second, 90 * MIB)
    with host.beginning(5 * MIB) as compiling:
        assert not compiling
        first.leave()
        waiting.join()
    assert compiling


def test_without_back_pressure_everything_begins() -> None:
    host = Host(backpressure="none")
    host.lease(2000 * MIB)
    assert told(host.begin(2000 * MIB)) == (MOST // MIB, MOST // MIB, True)


def test_what_is_wanted_no_more_is_granted_nothing() -> None:
    host = Host()
    host.lease(600 * MIB)
    answers = iter((True, True, False))
    assert host.room.enter(Ask("some", 500 * MIB), lambda: next(answers)) is None
    assert not host.is_in_line("some")


# As it runs


def test_it_is_granted_more_up_to_resume_beside_leases() -> None:
    host = Host()
    host.lease(400 * MIB)
    grant = host.begin(100 * MIB)
    assert host.room.extend(grant, 50 * MIB) == 50 * MIB
    assert host.room.extend(grant, 500 * MIB) == 700 * MIB - 650 * MIB - BESIDE_BYTES
    assert host.room.extend(grant, MIB) == 0


def test_alone_it_is_granted_more_up_to_the_limit() -> None:
    host = Host()
    grant = host.begin(100 * MIB)
    assert host.room.extend(grant, 10_000 * MIB) == 784 * MIB


def test_what_it_is_seen_to_hold_counts_if_that_is_more() -> None:
    host = Host()
    grant = host.begin(100 * MIB)
    host.room.note(grant, 300 * MIB)
    assert host.arbiter.pressure.compiling_bytes == 300 * MIB
    host.room.note(grant, 0)
    assert host.arbiter.pressure.compiling_bytes == 100 * MIB + BESIDE_BYTES


@pytest.mark.parametrize("what", ["a growth", "a newcomer"])
def test_it_gives_way_to_a_lease_that_waits(what: str) -> None:
    host = Host()
    grant = host.begin(600 * MIB)
    waiting = held(host.lease(0 if what == "a newcomer" else 50 * MIB), 100 * MIB)
    wait_until(lambda: grant.is_to_end)
    host.room.leave(grant)
    waiting.join()


def test_what_has_given_way_often_goes_on_and_the_lease_waits() -> None:
    host = Host()
    ask = Ask("some", 600 * MIB)
    for _ in range(MOST_YIELDS):
        grant, place = host.begin_again(ask), host.lease()
        waiting = held(place, 300 * MIB)
        host.room.leave(grant)
        waiting.join()
        place.leave()
    grant, place = host.begin_again(ask), host.lease()
    waiting = held(place, 300 * MIB)
    host.arbiter.reconcile()
    assert not grant.is_to_end
    host.room.leave(grant)
    waiting.join()


def test_nobody_is_spilled_or_aborted_for_what_compiles() -> None:
    host = Host()
    grant = host.begin(1000 * MIB)
    host.room.note(grant, 880 * MIB)
    places = [host.lease(), host.lease()]
    waiting = [held(place, 10 * MIB) for place in places]
    host.arbiter.reconcile()
    assert all(not place.seat.standing.aborting for place in places)
    host.room.leave(grant)
    for thread in waiting:
        thread.join()
