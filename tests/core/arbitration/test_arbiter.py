"""The arbiter on real threads: who is held, for how long, and what is counted meanwhile."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from atectl.accounting import Budget
from atectl.arbitration.arbiter import STALL_S, Arbiter
from atectl.arbitration.policies import rules
from atectl.arbitration.seat import Ruling, Seat
from atectl.arbitration.view import Action, HostView, Phase
from atectl.spill.area import SpillArea
from atectl.spill.errors import SpillDiskFull, SpillFolderUnusable
from tests.support.waiting import SOON_S, wait_until

MIB = 1 << 20


class Tenant:
    """A lease whose guest is this test."""

    def __init__(self, spilling: Callable[[], int] = lambda: 0) -> None:
        self.is_ending = False
        self.seat: Seat | None = None
        self.aborted: str | None = None
        self.spilled = self.stored_bytes = 0
        self.resident: int | None = None
        self.principal, self.label, self.capsule_name = "default", "", "test"
        self._spilling = spilling

    def abort(self, why: str, remedy: str) -> None:
        self.aborted, self.remedy = why, remedy
        self.end()

    def end(self) -> None:
        self.is_ending = True
        assert self.seat is not None
        self.seat.wake()

    def spill(self, _area: SpillArea) -> int:
        self.spilled += 1
        freed_bytes = self._spilling()
        assert self.seat is not None
        self.stored_bytes = self.seat.held_bytes
        return freed_bytes

    def resident_bytes(self) -> int | None:
        return self.resident


class Host:
    """An arbiter under 100 MiB: soft at 80, resume below 70."""

    def __init__(
        self, folder: Path, backpressure: str = "both", policy: str | None = None, cores: int = 1
    ) -> None:
        self.resident: int | None = 0
        self.now = 0.0
        self.ticks = 0
        self.arbiter = Arbiter(
            Budget(100 * MIB),
            rules(backpressure, policy),
            self._tick,
            area=SpillArea(folder),
            busy_leases=cores,
            resident=lambda: self.resident,
            clock=lambda: self.now,
        )

    def _tick(self) -> None:
        self.ticks += 1

    def lease(self, held_mib: int = 0, tenant: Tenant | None = None, priority: int = 0) -> Seat:
        tenant = tenant or Tenant()
        number = len(self.arbiter._seats) + 1
        tenant.seat = seat = self.arbiter.register(tenant, number, priority)
        if held_mib:
            assert seat.admit(held_mib * MIB)
        return seat

    @property
    def charged_mib(self) -> int:
        return self.arbiter.pressure.charged_bytes // MIB


class Growth:
    """A growth request on a thread of its own, as a guest makes it."""

    def __init__(self, seat: Seat, size_mib: int) -> None:
        self.granted: bool | None = None
        self._thread = threading.Thread(target=self._ask, args=(seat, size_mib), daemon=True)
        self._thread.start()

    def _ask(self, seat: Seat, size_mib: int) -> None:
        self.granted = seat.admit(size_mib * MIB)

    def end(self) -> bool:
        self._thread.join(SOON_S)
        assert self.granted is not None, "it still waits"
        return self.granted


def until_held(seat: Seat) -> None:
    def is_held() -> bool:
        with seat._arbiter.lock:
            return seat.is_held

    wait_until(is_held)


def parked(seat: Seat) -> threading.Thread:
    """A lease that was told to park and has come to a tick."""
    seat.parking = True
    thread = threading.Thread(target=seat.checkpoint, daemon=True)
    thread.start()
    until_held(seat)
    return thread


def actions(seat: Seat) -> list[Action]:
    return [ruling.action for ruling in seat.rulings]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_what_fits_below_soft_is_granted_at_once(host: Host) -> None:
    seat = host.lease()
    assert seat.admit(80 * MIB)
    assert host.charged_mib == 80
    assert actions(seat) == []


def test_a_growth_past_soft_waits_until_another_lease_ends(host: Host) -> None:
    first, second = host.lease(50), host.lease(10)
    growth = Growth(second, 30)
    until_held(second)
    assert second.phase is Phase.PARKED
    assert host.charged_mib == 60
    first.leave()
    assert growth.end()
    assert (second.phase, host.charged_mib) == (Phase.RUNNING, 40)
    assert actions(second) == [Action.PARK, Action.GRANT]


def test_if_all_wait_the_younger_is_spilled_for_the_older(host: Host) -> None:
    tenant = Tenant(lambda: 40 * MIB)
    first, second = host.lease(40), host.lease(40, tenant)
    later = Growth(second, 10)
    until_held(second)
    assert Growth(first, 10).end()
    assert (tenant.spilled, second.phase) == (1, Phase.SPILLED)
    assert host.charged_mib == 50
    (spill,) = [ruling for ruling in second.rulings if ruling.action is Action.SPILL]
    assert (spill.bytes, spill.freed_bytes) == (40 * MIB, 40 * MIB)
    first.leave()
    assert later.end()
    assert host.charged_mib == 50


def test_a_lease_alone_may_pass_soft_but_not_the_limit(host: Host) -> None:
    tenant = Tenant()
    seat = host.lease(60, tenant)
    assert seat.admit(40 * MIB)
    assert not seat.admit(MIB)
    assert tenant.aborted is not None
    for number in ("100MiB", "charged 100 MiB", "asked for 1 MiB more"):
        assert number in tenant.aborted


def test_a_lease_that_waits_to_grow_ends_at_once_when_told_to(host: Host) -> None:
    tenant = Tenant()
    host.lease(70)
    waiting = host.lease(5, tenant)
    growth = Growth(waiting, 10)
    until_held(waiting)
    tenant.end()
    assert growth.end() is False
    assert waiting.was_refused
    waiting.leave()
    assert host.charged_mib == 70


def test_a_spilled_lease_ends_at_once_when_told_to(host: Host) -> None:
    tenant = Tenant()
    first, second = host.lease(40), host.lease(40, tenant)
    growth = Growth(second, 10)
    until_held(second)
    assert Growth(first, 10).end()
    tenant.end()
    assert growth.end() is False
    second.leave()
    assert host.charged_mib == 50


def test_over_soft_by_resident_size_a_running_lease_is_told_to_park(host: Host) -> None:
    first, second = host.lease(10), host.lease(20)
    host.resident = 81 * MIB
    host.arbiter.reconcile()
    assert [first.parking, second.parking] == [True, False]
    assert host.ticks > 0


def test_exactly_at_soft_nobody_is_parked(host: Host) -> None:
    seats = [host.lease(10), host.lease(20)]
    host.resident = 80 * MIB
    host.arbiter.reconcile()
    assert not any(seat.parking for seat in seats)


def test_a_parked_lease_goes_on_below_resume_and_not_before(host: Host) -> None:
    host.lease(10)
    seat = host.lease(10)
    host.resident = 81 * MIB
    thread = parked(seat)
    host.resident = 70 * MIB
    host.arbiter.reconcile()
    assert seat.is_held
    host.resident = 69 * MIB
    host.arbiter.reconcile()
    thread.join(SOON_S)
    assert not thread.is_alive()
    assert actions(seat)[-1] is Action.RESUME


def test_a_tick_holds_nobody_who_was_not_told_to_park(host: Host) -> None:
    seat = host.lease(10)
    seat.checkpoint()
    assert seat.phase is Phase.RUNNING


def test_a_lease_whose_spill_failed_keeps_its_memory_and_the_others_go_on(host: Host) -> None:
    def full() -> int:
        raise SpillDiskFull("no room")

    first, second = host.lease(40, Tenant(full)), host.lease(40, Tenant(full))
    later = Growth(second, 10)
    until_held(second)
    assert Growth(first, 10).end(), "past soft and below the limit, for want of another way"
    assert second.phase is Phase.PARKED
    assert host.charged_mib == 90
    assert isinstance(host.arbiter.spill_failure, SpillDiskFull)
    first.leave()
    assert later.end()


def test_nobody_waits_for_a_lease_asleep_in_a_host_call(host: Host) -> None:
    host.lease(45)
    awake = host.lease(30)
    growth = Growth(awake, 10)
    until_held(awake)
    host.arbiter.reconcile()
    host.now += STALL_S / 2
    host.arbiter.reconcile()
    assert awake.is_held
    host.now += STALL_S
    host.arbiter.reconcile()
    assert growth.end()


def test_a_lease_that_comes_to_a_tick_is_not_taken_to_be_asleep(host: Host) -> None:
    busy = host.lease(45)
    waiting = host.lease(30)
    growth = Growth(waiting, 10)
    until_held(waiting)
    for _ in range(4):
        host.arbiter.reconcile()
        busy.checkpoint()
        host.now += STALL_S * 2
    assert waiting.is_held
    busy.leave()
    assert growth.end()


def test_the_memory_of_an_abandoned_guest_counts_until_its_thread_ends(host: Host) -> None:
    seat = host.lease(30)
    seat.abandon()
    assert host.charged_mib == 30
    seat.give_back(30 * MIB)
    seat.leave()
    assert host.charged_mib == 0


def test_an_abandoned_guest_is_not_what_a_lease_is_too_large_beside(host: Host) -> None:
    abandoned, seat = host.lease(60), host.lease(10)
    abandoned.abandon()
    growth = Growth(seat, 31)
    until_held(seat)
    abandoned.give_back(60 * MIB)
    abandoned.leave()
    assert growth.end()


def test_what_an_abandoned_guest_held_goes_to_who_waits_for_it(host: Host) -> None:
    abandoned, first, second = host.lease(30), host.lease(30), host.lease(10)
    abandoned.abandon()
    growth = Growth(second, 30)
    until_held(second)
    abandoned.give_back(30 * MIB)
    abandoned.leave()
    assert growth.end()
    assert first.phase is Phase.RUNNING


def test_what_the_process_came_to_hold_beside_its_leases_counts_beside_what_is_granted(
    host: Host,
) -> None:
    leases = [host.lease(size_mib, Tenant()) for size_mib in (60, 15)]
    for lease in leases:
        assert isinstance(lease.tenant, Tenant)
        lease.tenant.resident = 10 * MIB
    host.resident = 40 * MIB
    assert host.arbiter.pressure.total_bytes == 75 * MIB
    host.arbiter.reconcile()
    assert host.arbiter.pressure.baseline_bytes == 0, "it may be a spike"
    host.now += 1
    host.arbiter.reconcile()
    assert host.arbiter.pressure.baseline_bytes == 20 * MIB
    assert host.arbiter.pressure.total_bytes == 95 * MIB


def test_what_is_measured_beside_the_leases_never_falls_below_what_it_was_at_first(
    host: Host,
) -> None:
    host.resident = 30 * MIB
    assert host.arbiter.measure_baseline() == 30 * MIB
    tenant = Tenant()
    tenant.resident = 40 * MIB
    host.lease(45, tenant)
    host.resident = 50 * MIB
    for _ in range(3):
        host.now += 1
        host.arbiter.reconcile()
    assert host.arbiter.pressure.baseline_bytes == 30 * MIB


def test_a_growth_that_fits_is_granted_at_once_while_others_are_held(host: Host) -> None:
    grows, waits = host.lease(50), host.lease(20)
    growth = Growth(waits, 20)
    until_held(waits)
    host.arbiter._view = no_view  # type: ignore[method-assign]
    assert grows.admit(10 * MIB)
    del host.arbiter._view  # type: ignore[method-assign]
    grows.leave()
    assert growth.end()


def no_view() -> HostView:
    raise AssertionError("nobody need be looked at")


def test_a_spill_that_fails_by_a_bug_keeps_nobody_waiting(host: Host) -> None:
    def broken() -> int:
        raise MemoryError("a bug")

    first, second = host.lease(40, Tenant(broken)), host.lease(40, Tenant(broken))
    later = Growth(second, 10)
    until_held(second)
    assert Growth(first, 10).end()
    assert "MemoryError: a bug" in str(host.arbiter.spill_failure)
    first.leave()
    assert later.end()


def test_a_spill_that_failed_is_tried_again_when_there_is_more_room(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SpillArea, "room_bytes", property(lambda _: 50 * MIB))
    host.arbiter.reconcile()

    def full() -> int:
        raise SpillDiskFull("no room")

    first, second = host.lease(40, Tenant(full)), host.lease(40, Tenant(full))
    later = Growth(second, 10)
    until_held(second)
    assert Growth(first, 10).end()
    assert not second.view(89 * MIB).spillable
    assert second.view(90 * MIB).spillable
    first.leave()
    assert later.end()


def test_what_was_ordered_to_be_spilled_takes_room_from_the_next(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SpillArea, "room_bytes", property(lambda _: 50 * MIB))
    host.arbiter.reconcile()
    seat = host.lease(30)
    seat.spilling = True
    assert host.arbiter._view().spill_room_bytes == 20 * MIB


@pytest.mark.parametrize(
    ("area", "told", "remedy"),
    [
        ({"cap_bytes": 20 * MIB}, "30 MiB would lie in", "cap"),
        ({}, "nothing can be spilled there any more", "--spill-dir"),
    ],
)
def test_who_is_aborted_is_told_what_kept_others_from_being_spilled(
    tmp_path: Path, area: dict[str, int], told: str, remedy: str
) -> None:
    host = Host(tmp_path)
    host.arbiter._area = SpillArea(tmp_path, **area)
    if not area:
        failure = SpillFolderUnusable("nothing can be spilled there any more")
        host.arbiter._area.refusal = lambda _size: failure  # type: ignore[method-assign]
        host.arbiter._room_bytes = 0
    else:
        host.arbiter._room_bytes = 20 * MIB
    first, second = host.lease(30), host.lease(45)
    growths = [Growth(second, 40)]
    until_held(second)
    growths.append(Growth(first, 60))
    wait_until(lambda: first.tenant.is_ending or second.tenant.is_ending)
    aborted = first if first.aborting else second
    assert isinstance(aborted.tenant, Tenant)
    assert told in str(aborted.tenant.aborted)
    assert remedy in aborted.tenant.remedy
    assert host.arbiter.spill_failure is not None
    aborted.leave()
    assert sorted(bool(growth.end()) for growth in growths) == [False, True]


def test_what_a_store_is_kept_with_never_counts_as_free(host: Host) -> None:
    first, second = host.lease(60), host.lease(10)
    growth = Growth(second, 30)
    until_held(second)
    first.leave(kept_bytes=60 * MIB)
    assert growth.end(), "up to the limit, for nobody else is there"
    assert host.charged_mib == 100
    again = host.arbiter.register(Tenant(), 7, idle_bytes=60 * MIB)
    assert host.charged_mib == 100
    again.leave()
    assert host.charged_mib == 40


def test_a_lease_that_has_left_is_not_abandoned(host: Host) -> None:
    seat = host.lease(30)
    seat.leave()
    seat.abandon()
    assert host.charged_mib == 0


def test_what_could_not_be_opened_is_given_back(host: Host) -> None:
    seat = host.lease(30)
    seat.give_back(10 * MIB)
    assert host.charged_mib == 20


def test_without_back_pressure_everything_is_granted(tmp_path: Path) -> None:
    host = Host(tmp_path, "none")
    seat = host.lease()
    assert seat.admit(500 * MIB)
    host.arbiter.reconcile()
    assert actions(seat) == []


def test_where_the_resident_size_cannot_be_read_the_charge_serves(host: Host) -> None:
    host.resident = None
    assert host.arbiter.measure_baseline() is None
    first, second = host.lease(50), host.lease(10)
    host.arbiter.reconcile()
    growth = Growth(second, 30)
    until_held(second)
    first.leave()
    assert growth.end()


def test_a_spike_that_has_passed_condemns_nobody(host: Host) -> None:
    seat = host.lease(10)
    host.resident = 200 * MIB
    host.arbiter.reconcile()
    host.resident = 10 * MIB
    host.arbiter.reconcile()
    assert seat.admit(10 * MIB)
    assert Action.PARK not in actions(seat)


def test_all_that_happens_is_told_in_order(tmp_path: Path) -> None:
    told: list[str] = []

    class Told:
        def registered(self, _at_s: float, seat: Seat) -> None:
            told.append(f"registered {seat.number}")

        def finished(self, _at_s: float, seat: Seat) -> None:
            told.append(f"finished {seat.number}")

        def asked(self, _at_s: float, seat: Seat, added_bytes: int) -> None:
            told.append(f"asked {seat.number} {added_bytes // MIB}")

        def sampled(self, *_: object) -> None:
            told.append("sampled")

        def decided(self, *_: object) -> None:
            told.append("decided")

        def ruled(self, ruling: Ruling, _pressure: object) -> None:
            told.append(f"{ruling.action.value} {ruling.lease}")

    host = Host(tmp_path)
    host.arbiter._observer = Told()
    first, second = host.lease(50), host.lease(10)
    growth = Growth(second, 30)
    until_held(second)
    host.arbiter.reconcile()
    first.leave()
    growth.end()
    assert told == [
        *("registered 1", "asked 1 50", "registered 2", "asked 2 10"),
        *("asked 2 30", "decided", "park 2", "sampled", "finished 1", "decided", "grant 2"),
    ]


def test_many_threads_neither_lose_a_wake_up_nor_a_byte(tmp_path: Path) -> None:
    host = Host(tmp_path, cores=2)
    failures: list[str] = []

    def work(seat: Seat) -> None:
        for _ in range(20):
            if not seat.admit(2 * MIB):
                failures.append(f"{seat.number} was refused")
            seat.checkpoint()
        seat.leave()

    seats = [host.lease(tenant=Tenant(lambda: MIB)) for _ in range(8)]
    threads = [threading.Thread(target=work, args=(seat,), daemon=True) for seat in seats]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON_S)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []
    assert host.charged_mib == 0
