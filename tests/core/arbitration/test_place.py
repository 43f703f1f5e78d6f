"""A lease's place at its arbiter, called by the thread of its guest."""

import threading
from pathlib import Path
from typing import Any

import pytest

from atectl.arbitration.standing import Phase
from atectl.arbitration.view import Action
from tests.support.tenants import MIB, GuestPlace, Table, Tenant
from tests.support.waiting import SOON_S, wait_until


class Heard:
    """An observer that keeps the names of what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.told.append(name)


class Call:
    """A call on a thread of its own, as a guest makes it."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.answer: Any = None
        self._thread = threading.Thread(target=self._run, args=(function, arguments), daemon=True)
        self._thread.start()

    def _run(self, function: Any, arguments: tuple[Any, ...]) -> None:
        self.answer = function(*arguments)

    def end(self) -> Any:
        self._thread.join(SOON_S)
        assert not self._thread.is_alive(), "it is still held"
        return self.answer


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def until_held(place: GuestPlace) -> None:
    wait_until(lambda: place.seat.standing.phase is not Phase.RUNNING)


def test_a_growth_that_fits_is_granted_and_charged(table: Table) -> None:
    place = table.place(1)
    assert place.admit(80 * MIB)
    assert (place.seat.held_bytes, table.charged_mib) == (80 * MIB, 80)


def test_some_more_is_lent_and_charged_where_nobody_could_miss_it(table: Table) -> None:
    place = table.place(1)
    assert place.lend(4 * MIB) == 4 * MIB
    assert (place.seat.held_bytes, table.charged_mib) == (4 * MIB, 4)


def test_no_more_is_lent_than_a_small_part_of_what_is_left(table: Table) -> None:
    place = table.place(1)
    assert place.lend(100 * MIB) == 5 * MIB
    assert (place.seat.held_bytes, table.charged_mib) == (5 * MIB, 5)


def test_nothing_is_lent_while_somebody_is_held(table: Table) -> None:
    place = table.place(1)
    table.enforcer.is_calm = False
    assert place.lend(MIB) == 0


def test_nothing_is_lent_to_one_that_is_on_its_way_out(table: Table) -> None:
    place = table.place(1)
    place.seat.was_refused = True
    assert place.lend(MIB) == 0


def test_nothing_is_lent_where_each_growth_is_recorded(tmp_path: Path) -> None:
    place = Table(tmp_path, observer=Heard()).place(1)
    assert place.lend(MIB) == 0


def test_memory_that_is_given_back_is_charged_no_more(table: Table) -> None:
    place = table.place(1, 50)
    place.give_back(20 * MIB)
    assert (place.seat.held_bytes, table.charged_mib) == (30 * MIB, 30)


def test_a_growth_that_does_not_fit_holds_its_thread_until_it_does(table: Table) -> None:
    first, second = table.place(1, 60), table.place(2, 10)
    growth = Call(second.admit, 20 * MIB)
    until_held(second)
    first.leave()
    assert growth.end() is True
    assert table.charged_mib == 30


def test_a_lease_that_is_told_to_end_while_it_is_held_grows_no_more(table: Table) -> None:
    tenant = Tenant()
    table.place(1, 60)
    place = table.place(2, 10, tenant)
    growth = Call(place.admit, 20 * MIB)
    until_held(place)
    tenant.end()
    assert growth.end() is False
    assert place.seat.was_refused
    assert not place.admit(0)
    assert table.charged_mib == 70


def test_whatever_a_lease_does_it_is_decided_on_as_it_stands(table: Table) -> None:
    """The orders that decisions go by are told of each change, whoever makes it."""
    seats, tenant = table.enforcer.seats, Tenant()
    place, ends = table.place(1, 10), table.place(2, 10, tenant)
    place.seat.probe(0.0, 0.1)
    for change in (
        lambda: place.admit(MIB),
        lambda: place.give_back(MIB),
        lambda: table.enforcer.look_for_sleepers(1.0),
        lambda: table.enforcer.look_for_sleepers(9.0),
        place.checkpoint,
        tenant.end,
        ends.abandon,
        ends.leave,
        place.leave,
    ):
        change()
        # What one that runs holds is asked for when it matters: it grows too often to be told.
        known, seen = ([lease.holding(0) for lease in of] for of in (seats.roster, seats.seen()))
        assert known == seen


def test_a_tick_holds_only_a_lease_that_was_told_to_park(table: Table) -> None:
    first, second = table.place(1, 41), table.place(2, 40)
    with table.enforcer.lock:
        table.enforcer.settle()
    assert first.seat.standing.parking
    second.checkpoint()
    parked = Call(first.checkpoint)
    until_held(first)
    second.leave()
    parked.end()
    assert first.seat.standing.phase is Phase.RUNNING


def test_a_guest_that_grows_or_ticks_shows_that_it_is_awake(table: Table) -> None:
    place = table.place(1, 10)
    for is_heard_of in (place.checkpoint, lambda: place.admit(1)):
        place.seat.probe(0.0, 0.1)
        is_heard_of()
        assert place.seat.probed_at is None


def test_a_lease_that_ends_holds_nothing_but_what_its_store_keeps(table: Table) -> None:
    place = table.place(1, 50)
    place.leave(20 * MIB)
    assert not table.enforcer.seats.unfinished
    assert (table.charged_mib, table.enforcer.use.idle_bytes) == (20, 20 * MIB)


def test_a_lease_that_is_abandoned_stays_charged_until_its_guest_leaves(table: Table) -> None:
    place = table.place(1, 50)
    place.abandon()
    assert not table.enforcer.seats.unfinished
    assert table.charged_mib == 50
    place.leave()
    assert table.charged_mib == 0


def test_an_end_is_told_once_even_of_a_lease_that_was_abandoned(tmp_path: Path) -> None:
    heard = Heard()
    place = Table(tmp_path, observer=heard).place(1, 50)
    place.abandon()
    place.abandon()
    place.leave()
    assert heard.told.count("finished") == 1


def test_an_observer_hears_of_each_growth_that_is_asked_for(tmp_path: Path) -> None:
    heard = Heard()
    place = Table(tmp_path, observer=heard).place(1)
    place.admit(1)
    place.admit(2)
    assert heard.told == ["asked", "asked"]


def test_nothing_waits_at_a_place_itself(table: Table) -> None:
    first, second = table.place(1, 60), table.place(2, 10)
    assert second.place.admit(20 * MIB) is None
    assert second.place.look() is None
    first.leave()
    assert second.place.look() is True
    assert second.place.look() is None


def test_memory_is_spilled_while_the_lock_is_free(table: Table) -> None:
    def spill() -> int:
        Call(lambda: second.give_back(0)).end()  # takes the lock
        return 40 * MIB

    first, second = table.place(1, 40), table.place(2, 40, Tenant(spill))
    growth = Call(second.admit, 10 * MIB)
    until_held(second)
    assert Call(first.admit, 10 * MIB).end() is True
    wait_until(lambda: second.seat.standing.phase is Phase.SPILLED)
    (ruling,) = [each for each in second.seat.rulings if each.action is Action.SPILL]
    assert (ruling.bytes, ruling.freed_bytes) == (40 * MIB, 40 * MIB)
    first.leave()
    assert growth.end() is True


def test_one_that_is_told_to_end_while_it_spills_ends_once_that_is_done(table: Table) -> None:
    tenant = Tenant()
    first, second = table.place(1, 40), table.place(2, 40, tenant)
    assert second.place.admit(10 * MIB) is None
    assert first.place.admit(10 * MIB) is True
    assert second.place.look() is None
    assert tenant.is_spilling
    tenant.end()
    assert second.place.look() is None
    assert second.place.spilled(*tenant.write_out()) is False


def test_one_that_leaves_while_it_is_held_is_not_answered(table: Table) -> None:
    table.place(1, 60)
    second = table.place(2, 10)
    assert second.place.admit(20 * MIB) is None
    second.leave()
    assert second.place.look() is None
    assert table.charged_mib == 60
