"""How decisions are carried out among the leases of one process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from atectl.arbitration.enforcer import STALL_S
from atectl.arbitration.standing import Phase
from atectl.arbitration.view import Action
from tests.support.tenants import MIB, Table, Tenant


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    """Its lock is held, as by all who call an enforcer."""
    table = Table(tmp_path)
    with table.enforcer.lock:
        yield table


def told(table: Table) -> list[Action]:
    return [ruling.action for ruling in table.enforcer.chronicle.latest]


def test_a_lease_that_stands_otherwise_is_charged_otherwise(table: Table) -> None:
    seat = table.seat(1, 40)
    table.enforcer.become(seat, seat.standing.give_back(15 * MIB))
    assert table.charged_mib == 25
    table.enforcer.become(seat, seat.standing.ask(MIB).park().spill().spilled(25 * MIB))
    assert table.charged_mib == 0


def test_below_soft_nothing_is_decided_and_all_is_calm(table: Table) -> None:
    table.seat(1, 80)
    table.enforcer.settle()
    assert table.enforcer.is_calm
    assert told(table) == []


def test_over_soft_a_lease_is_told_to_park_by_a_tick(table: Table) -> None:
    seats = [table.seat(1, 41), table.seat(2, 40)]
    table.enforcer.settle()
    assert [seat.standing.parking for seat in seats] == [True, False]
    assert table.ticks == 1
    assert not table.enforcer.is_calm
    assert told(table) == [Action.PARK]


def test_without_back_pressure_nothing_is_decided_and_no_idle_store_is_dropped(
    tmp_path: Path,
) -> None:
    table = Table(tmp_path, "none")
    seats = [table.seat(1, 90), table.seat(2, 90)]
    table.enforcer.use.keep_idle(50 * MIB)
    table.enforcer.drop_idle = lambda: pytest.fail("dropped")
    table.enforcer.settle()
    assert not any(seat.is_held_back for seat in seats)
    assert told(table) == []


def test_a_growth_that_never_waited_is_no_ruling(table: Table) -> None:
    seat = table.seat(1, 40)
    table.enforcer.become(seat, seat.standing.ask(10 * MIB))
    table.enforcer.settle()
    assert (seat.standing.phase, seat.held_bytes) == (Phase.RUNNING, 50 * MIB)
    assert told(table) == []


def test_a_growth_that_waited_is_told_of_when_it_is_granted(table: Table) -> None:
    first, second = table.seat(1, 70), table.seat(2, 5)
    table.enforcer.become(second, second.standing.ask(10 * MIB))
    table.enforcer.settle()
    table.enforcer.become(first, first.standing.give_back(20 * MIB))
    table.enforcer.settle()
    assert told(table) == [Action.PARK, Action.GRANT]


def test_a_spill_is_not_told_of_before_it_is_done(table: Table) -> None:
    first, second = table.seat(1, 40), table.seat(2, 40)
    for seat in (first, second):
        table.enforcer.become(seat, seat.standing.ask(10 * MIB))
    table.enforcer.settle()
    assert [seat.standing.spilling for seat in (first, second)] == [False, True]
    assert Action.SPILL not in told(table)


def test_disk_room_that_ordered_spills_will_take_is_not_offered_again(table: Table) -> None:
    seat = table.seat(1, 40)
    table.enforcer.disk.room_bytes = 100 * MIB
    assert table.enforcer.view().spill_room_bytes == 100 * MIB
    table.enforcer.become(seat, seat.standing.ask(MIB).park().spill())
    assert table.enforcer.view().spill_room_bytes == 60 * MIB


def test_a_lease_that_can_never_fit_is_ended_and_told_why(table: Table) -> None:
    tenant = Tenant()
    seat = table.seat(1, 60, tenant)
    table.enforcer.become(seat, seat.standing.ask(50 * MIB))
    table.enforcer.settle()
    assert tenant.aborted is not None
    assert "asked for 50 MiB more" in tenant.aborted
    assert told(table)[-1] is Action.ABORT


@pytest.mark.parametrize(("asked_mib", "may_fit"), [(40, True), (41, False)])
def test_a_lease_may_fit_later_if_it_would_have_before_there_were_others(
    table: Table, asked_mib: int, may_fit: bool
) -> None:
    use, tenant = table.enforcer.use, Tenant()
    table.resident = 10 * MIB
    use.take_baseline()
    use.expect(20 * MIB, for_one_bytes=20 * MIB)
    table.resident = 60 * MIB
    use.look_closely([])
    use.look_closely([])
    seat = table.seat(1, 30, tenant)
    table.enforcer.become(seat, seat.standing.ask(asked_mib * MIB))
    table.enforcer.settle()
    assert (tenant.aborted is not None, tenant.may_fit) == (True, may_fit)


def test_idle_stores_are_dropped_before_a_lease_is_held(table: Table) -> None:
    enforcer = table.enforcer
    enforcer.use.keep_idle(50 * MIB)
    enforcer.drop_idle = lambda: enforcer.use.drop_idle(50 * MIB)
    seat = table.seat(1, 30)
    enforcer.become(seat, seat.standing.ask(10 * MIB))
    enforcer.settle()
    assert not seat.is_held
    assert (enforcer.use.idle_bytes, table.charged_mib) == (0, 40)


def test_processes_in_which_nothing_runs_are_ended_before_a_lease_is_aborted(table: Table) -> None:
    enforcer = table.enforcer
    enforcer.use.expect(50 * MIB, for_one_bytes=10 * MIB)
    enforcer.drop_idle = lambda: enforcer.use.expect(-40 * MIB, for_one_bytes=10 * MIB)
    seat = table.seat(1, 30)
    enforcer.become(seat, seat.standing.ask(50 * MIB))
    enforcer.settle()
    assert (seat.standing.phase, seat.held_bytes) == (Phase.RUNNING, 80 * MIB)


def test_idle_stores_are_kept_while_everything_fits(table: Table) -> None:
    enforcer = table.enforcer
    enforcer.use.keep_idle(50 * MIB)
    enforcer.drop_idle = lambda: pytest.fail("dropped")
    seat = table.seat(1, 20)
    enforcer.become(seat, seat.standing.ask(10 * MIB))
    enforcer.settle()
    assert not seat.is_held


def test_memory_that_comes_free_matters_only_while_somebody_may_wait(table: Table) -> None:
    seats = [table.seat(1, 41), table.seat(2, 40)]
    table.enforcer.settle_unless_calm()
    assert not any(seat.is_held_back for seat in seats)
    table.enforcer.is_calm = False
    table.enforcer.settle_unless_calm()
    assert any(seat.is_held_back for seat in seats)


def test_running_guests_are_asked_by_a_tick_whether_they_are_awake(table: Table) -> None:
    runs, waits = table.seat(1, 10), table.seat(2, 10)
    table.enforcer.become(waits, waits.standing.ask(MIB).park())
    table.enforcer.look_for_sleepers(0.0)
    table.enforcer.look_for_sleepers(STALL_S)
    assert table.ticks == 1
    assert not runs.standing.stalled
    table.enforcer.look_for_sleepers(2 * STALL_S)
    assert (runs.standing.stalled, waits.standing.stalled) == (True, False)


def test_a_look_lets_a_failed_spill_be_tried_again_once_the_disk_has_room(table: Table) -> None:
    seat = table.seat(1, 10)
    failed = seat.standing.ask(MIB).park().spill().spill_failed(0)
    table.enforcer.become(seat, failed)
    seat.room_wanted_bytes = 1
    table.enforcer.wanting_room.add(seat)
    table.enforcer.look()
    assert seat.standing.can_be_spilled
