"""The arbiter on real threads: who is held, for how long, and what is counted meanwhile."""

import threading
from pathlib import Path

import pytest

from atectl.accounting import Budget
from atectl.arbitration.arbiter import Arbiter
from atectl.arbitration.chronicle import Observer
from atectl.arbitration.enforcer import STALL_S
from atectl.arbitration.policies import rules
from atectl.arbitration.seat import Ruling, Seat
from atectl.arbitration.standing import Phase, Standing
from atectl.arbitration.turns import TURN_S
from atectl.arbitration.view import Action, Decision
from atectl.spill.area import SpillArea
from atectl.spill.errors import SpillDiskFull, SpillFolderUnusable
from tests.support.tenants import MIB, Tenant, seated
from tests.support.waiting import SOON_S, wait_until


class Lease:
    """A lease at an arbiter: its place, and where it stands as the arbiter sees it."""

    def __init__(self, host: "Host", number: int, tenant: Tenant, priority: int) -> None:
        self._host = host
        self.tenant = tenant
        self.number = number
        self.place = seated(host.arbiter, tenant, number, priority)

    @property
    def standing(self) -> Standing:
        (found,) = [x for x in self._host.arbiter.view().leases if x.number == self.number]
        return found

    def grow(self, size_mib: int) -> bool:
        return self.place.admit(size_mib * MIB)

    def leave(self, kept_mib: int = 0) -> None:
        self.place.leave(kept_mib * MIB)

    @property
    def actions(self) -> list[Action]:
        return [ruling.action for ruling in self.place.seat.rulings]

    def until_held(self) -> None:
        """Wait until its thread is held, and nothing more is being decided."""
        wait_until(lambda: self.standing.is_held)


class Host:
    """An arbiter under 100 MiB: soft at 80, resume below 70."""

    def __init__(
        self,
        folder: Path,
        backpressure: str = "both",
        *,
        cores: int = 1,
        area: SpillArea | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.resident: int | None = 0
        self.now = 0.0
        self.idle_s = 0.0
        self.ticks = 0
        self._leases = 0
        self.arbiter = Arbiter(
            Budget(100 * MIB),
            rules(backpressure),
            self._tick,
            area=area or SpillArea(folder),
            busy_leases=cores,
            idle_s=lambda: self.idle_s,
            resident=lambda: self.resident,
            clock=lambda: self.now,
            observer=observer,
        )

    def _tick(self) -> None:
        self.ticks += 1

    def lease(self, held_mib: int = 0, tenant: Tenant | None = None, priority: int = 0) -> Lease:
        self._leases += 1
        lease = Lease(self, self._leases, tenant or Tenant(), priority)
        if held_mib:
            assert lease.grow(held_mib)
        return lease

    @property
    def charged_mib(self) -> int:
        return self.arbiter.pressure.charged_bytes // MIB


class Growth:
    """A growth request on a thread of its own, as a guest makes it."""

    def __init__(self, lease: Lease, size_mib: int) -> None:
        self.granted: bool | None = None
        self._thread = threading.Thread(target=self._ask, args=(lease, size_mib), daemon=True)
        self._thread.start()

    def _ask(self, lease: Lease, size_mib: int) -> None:
        self.granted = lease.grow(size_mib)

    def end(self) -> bool:
        self._thread.join(SOON_S)
        assert self.granted is not None, "it still waits"
        return self.granted


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_what_fits_below_soft_is_granted_at_once(host: Host) -> None:
    lease = host.lease()
    assert lease.grow(80)
    assert host.charged_mib == 80
    assert lease.actions == []


def test_a_growth_past_soft_waits_until_another_lease_ends(host: Host) -> None:
    first, second = host.lease(50), host.lease(10)
    growth = Growth(second, 30)
    second.until_held()
    assert second.standing.phase is Phase.PARKED
    assert host.charged_mib == 60
    first.leave()
    assert growth.end()
    assert (second.standing.phase, host.charged_mib) == (Phase.RUNNING, 40)
    assert second.actions == [Action.PARK, Action.GRANT]


def test_if_all_wait_the_younger_is_spilled_for_the_older(host: Host) -> None:
    tenant = Tenant(lambda: 40 * MIB)
    first, second = host.lease(40), host.lease(40, tenant)
    later = Growth(second, 10)
    second.until_held()
    assert Growth(first, 10).end()
    wait_until(lambda: second.standing.phase is Phase.SPILLED)
    assert (tenant.spilled, host.charged_mib) == (1, 50)
    (spill,) = [ruling for ruling in second.place.seat.rulings if ruling.action is Action.SPILL]
    assert (spill.bytes, spill.freed_bytes) == (40 * MIB, 40 * MIB)
    first.leave()
    assert later.end()
    assert host.charged_mib == 50


def test_a_lease_alone_may_pass_soft_but_not_the_limit(host: Host) -> None:
    tenant = Tenant()
    lease = host.lease(60, tenant)
    assert lease.grow(40)
    assert not lease.grow(1)
    assert tenant.aborted is not None
    for number in ("100MiB", "charged 100 MiB", "asked for 1 MiB more"):
        assert number in tenant.aborted


def test_a_lease_that_waits_to_grow_ends_at_once_when_told_to(host: Host) -> None:
    tenant = Tenant()
    host.lease(70)
    waiting = host.lease(5, tenant)
    growth = Growth(waiting, 10)
    waiting.until_held()
    tenant.end()
    assert growth.end() is False
    assert waiting.place.seat.was_refused
    waiting.leave()
    assert host.charged_mib == 70


def test_a_spilled_lease_ends_at_once_when_told_to(host: Host) -> None:
    tenant = Tenant()
    first, second = host.lease(40), host.lease(40, tenant)
    growth = Growth(second, 10)
    second.until_held()
    assert Growth(first, 10).end()
    tenant.end()
    assert growth.end() is False
    second.leave()
    assert host.charged_mib == 50


def test_over_soft_by_resident_size_a_running_lease_is_told_to_park(host: Host) -> None:
    first, second = host.lease(10), host.lease(20)
    host.resident = 81 * MIB
    host.arbiter.reconcile()
    assert [first.standing.parking, second.standing.parking] == [True, False]
    assert host.ticks > 0


def test_exactly_at_soft_nobody_is_parked(host: Host) -> None:
    leases = [host.lease(10), host.lease(20)]
    host.resident = 80 * MIB
    host.arbiter.reconcile()
    assert not any(lease.standing.parking for lease in leases)


def test_a_parked_lease_goes_on_below_resume_and_not_before(tmp_path: Path) -> None:
    host = Host(tmp_path, cores=2)
    lease = host.lease(10)
    host.lease(10)
    host.resident = 81 * MIB
    host.arbiter.reconcile()
    thread = threading.Thread(target=lease.place.checkpoint, daemon=True)
    thread.start()
    lease.until_held()
    host.resident = 70 * MIB
    host.arbiter.reconcile()
    assert lease.standing.is_held
    host.resident = 69 * MIB
    host.arbiter.reconcile()
    thread.join(SOON_S)
    assert not thread.is_alive()
    assert lease.actions[-1] is Action.RESUME


class Swollen:
    """A host that swelled for a moment, so that one of two leases was spilled; the other runs."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lease, self._other = host.lease(10), host.lease(10)
        host.resident = 81 * MIB
        host.arbiter.reconcile()
        place = self._lease.place
        self.thread = threading.Thread(target=place.checkpoint, daemon=True)
        self.thread.start()
        wait_until(lambda: self._lease.standing.phase is Phase.SPILLED)
        host.resident = 20 * MIB

    def has_come_back(self) -> bool:
        """Whether it goes on by now."""
        self._other.place.checkpoint()  # it shows that it is awake
        self._host.arbiter.reconcile()
        self._host.arbiter.reconcile()
        return self._lease.standing.phase is Phase.RUNNING


def test_a_spilled_lease_has_its_turn_while_the_machine_is_busy(host: Host) -> None:
    swollen = Swollen(host)
    for seconds, comes_back in [(0.0, False), (TURN_S - 0.1, False), (0.2, True)]:
        host.now += seconds
        assert swollen.has_come_back() is comes_back
    swollen.thread.join(SOON_S)


def test_more_leases_go_on_if_those_that_run_leave_cores_idle(host: Host) -> None:
    swollen = Swollen(host)
    for idle_s, comes_back in [(0.0, False), (0.0, False), (0.9, True)]:
        host.now += 1.0
        host.idle_s += idle_s
        assert swollen.has_come_back() is comes_back
    swollen.thread.join(SOON_S)


def test_a_tick_holds_nobody_who_was_not_told_to_park(host: Host) -> None:
    lease = host.lease(10)
    lease.place.checkpoint()
    assert lease.standing.phase is Phase.RUNNING


def test_a_lease_whose_spill_failed_keeps_its_memory_and_the_others_go_on(host: Host) -> None:
    def full() -> int:
        raise SpillDiskFull("no room")

    first, second = host.lease(40, Tenant(full)), host.lease(40, Tenant(full))
    later = Growth(second, 10)
    second.until_held()
    assert Growth(first, 10).end(), "past soft and below the limit"
    wait_until(lambda: isinstance(host.arbiter.spill_failure, SpillDiskFull))
    assert second.standing.phase is Phase.PARKED
    assert host.charged_mib == 90
    first.leave()
    assert later.end()


def test_nobody_waits_for_a_lease_asleep_in_a_host_call(host: Host) -> None:
    host.lease(45)
    awake = host.lease(30)
    growth = Growth(awake, 10)
    awake.until_held()
    host.arbiter.reconcile()
    host.now += STALL_S / 2
    host.arbiter.reconcile()
    assert awake.standing.is_held
    host.now += STALL_S
    host.arbiter.reconcile()
    assert growth.end()


def test_a_lease_that_comes_to_a_tick_is_not_taken_to_be_asleep(host: Host) -> None:
    busy = host.lease(45)
    waiting = host.lease(30)
    growth = Growth(waiting, 10)
    waiting.until_held()
    for _ in range(4):
        host.arbiter.reconcile()
        busy.place.checkpoint()
        host.now += STALL_S * 2
    assert waiting.standing.is_held
    busy.leave()
    assert growth.end()


def test_a_lease_that_grows_is_not_taken_to_be_asleep(host: Host) -> None:
    busy = host.lease(45)
    waiting = host.lease(30)
    growth = Growth(waiting, 10)
    waiting.until_held()
    for _ in range(4):
        host.arbiter.reconcile()
        assert busy.grow(1)
        host.now += STALL_S * 2
    assert waiting.standing.is_held
    busy.leave()
    assert growth.end()


def test_nobody_waits_for_a_guest_that_was_abandoned(host: Host) -> None:
    asleep, waiting = host.lease(60, Tenant()), host.lease(10)
    asleep.tenant.end()
    asleep.place.abandon()
    assert Growth(waiting, 25).end(), "past soft, for nobody else goes on"


def test_stores_that_nobody_has_are_dropped_before_anybody_is_held(host: Host) -> None:
    host.lease(50).leave(kept_mib=50)
    first, second = host.lease(20), host.lease(5)
    dropped = []

    def drop() -> None:
        dropped.append(host.charged_mib)
        host.arbiter.forget_idle(50 * MIB)

    host.arbiter.drop_idle_by(drop)
    assert second.grow(5)
    assert dropped == []
    assert second.grow(10)
    assert dropped == [80]
    assert host.charged_mib == 40
    assert first.actions == second.actions == []


def test_the_memory_of_an_abandoned_guest_counts_until_its_thread_ends(host: Host) -> None:
    lease = host.lease(30)
    lease.place.abandon()
    assert host.charged_mib == 30
    lease.place.give_back(30 * MIB)
    lease.leave()
    assert host.charged_mib == 0


def test_an_abandoned_guest_is_not_what_a_lease_is_too_large_beside(host: Host) -> None:
    abandoned, lease = host.lease(60), host.lease(10)
    abandoned.place.abandon()
    growth = Growth(lease, 31)
    lease.until_held()
    abandoned.place.give_back(60 * MIB)
    abandoned.leave()
    assert growth.end()


def test_what_an_abandoned_guest_held_goes_to_who_waits_for_it(host: Host) -> None:
    abandoned, first, second = host.lease(30), host.lease(30), host.lease(10)
    abandoned.place.abandon()
    growth = Growth(second, 30)
    second.until_held()
    abandoned.place.give_back(30 * MIB)
    abandoned.leave()
    assert growth.end()
    assert first.standing.phase is Phase.RUNNING


def test_what_the_process_came_to_hold_beside_its_leases_counts_beside_what_is_granted(
    host: Host,
) -> None:
    leases = [host.lease(size_mib, Tenant()) for size_mib in (60, 15)]
    for lease in leases:
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
    waits.until_held()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("atectl.arbitration.enforcer.decide_among", nothing_to_decide)
        assert grows.grow(10)
    grows.leave()
    assert growth.end()


def nothing_to_decide(*_: object) -> list[Decision]:
    raise AssertionError("nothing need be decided")


def test_a_growth_granted_at_once_leaves_its_lease_as_one_that_was_asked_for_does(
    host: Host,
) -> None:
    """What is counted on the short way is what the state machine comes to."""
    lease = host.lease()
    before = lease.standing
    assert lease.grow(10)
    assert lease.standing == before.ask(10 * MIB).go_on()
    assert lease.place.seat.standing == lease.standing


def test_a_lease_that_was_turned_away_is_granted_nothing_more(host: Host) -> None:
    tenant = Tenant()
    host.lease(70)
    lease = host.lease(5, tenant)
    growth = Growth(lease, 10)
    lease.until_held()
    tenant.end()
    assert growth.end() is False
    assert not lease.grow(1)
    assert host.charged_mib == 75


def test_a_spill_that_fails_by_a_bug_keeps_nobody_waiting(host: Host) -> None:
    class Broken(Tenant):
        def spill(self, _area: SpillArea) -> None:
            raise MemoryError("a bug")

    first, second = host.lease(40, Broken()), host.lease(40, Broken())
    later = Growth(second, 10)
    second.until_held()
    assert Growth(first, 10).end()
    wait_until(lambda: "MemoryError: a bug" in str(host.arbiter.spill_failure))
    first.leave()
    assert later.end()


def test_a_spill_that_failed_is_tried_again_when_there_is_more_room(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    room_mib = 50
    monkeypatch.setattr(SpillArea, "room_bytes", property(lambda _: room_mib * MIB))
    host.arbiter.reconcile()

    def full() -> int:
        raise SpillDiskFull("no room")

    first, second = host.lease(40, Tenant(full)), host.lease(40, Tenant(full))
    later = Growth(second, 10)
    second.until_held()
    assert Growth(first, 10).end()
    wait_until(lambda: host.arbiter.spill_failure is not None)
    room_mib = 89  # what it takes is 40 MiB more than there were
    host.arbiter.reconcile()
    assert second.tenant.spilled == 1
    room_mib = 90
    host.arbiter.reconcile()
    wait_until(lambda: second.tenant.spilled == 2)
    first.leave()
    assert later.end()


def test_what_was_ordered_to_be_spilled_takes_room_from_the_next(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SpillArea, "room_bytes", property(lambda _: 50 * MIB))
    host.arbiter.reconcile()
    is_written, begun = threading.Event(), threading.Event()

    def slow() -> int:
        begun.set()
        assert is_written.wait(SOON_S)
        return 30 * MIB

    first, second = host.lease(40), host.lease(30, Tenant(slow))
    later, sooner = Growth(second, 20), Growth(first, 20)
    assert begun.wait(SOON_S)
    assert host.arbiter.view().spill_room_bytes == 20 * MIB
    is_written.set()
    assert sooner.end()
    first.leave()
    assert later.end()


def aborted_for_want_of_disk(host: Host) -> Tenant:
    """The tenant that is aborted as two leases would each fit only if the other were spilled."""
    first, second = host.lease(30), host.lease(45)
    growths = {second: Growth(second, 40)}
    second.until_held()
    growths[first] = Growth(first, 60)
    wait_until(lambda: first.tenant.is_ending or second.tenant.is_ending)
    aborted, other = (first, second) if first.tenant.is_ending else (second, first)
    assert growths[aborted].end() is False
    aborted.leave()
    assert growths[other].end() is True
    return aborted.tenant


def test_who_is_aborted_is_told_that_the_cap_kept_others_from_being_spilled(tmp_path: Path) -> None:
    host = Host(tmp_path, area=SpillArea(tmp_path, cap_bytes=20 * MIB))
    tenant = aborted_for_want_of_disk(host)
    assert "30 MiB would lie in" in str(tenant.aborted)
    assert "cap" in tenant.remedy
    assert host.arbiter.spill_failure is not None


def test_who_is_aborted_is_told_that_the_folder_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "spill"
    folder.mkdir()
    host = Host(tmp_path, area=SpillArea(folder))
    folder.rmdir()
    host.arbiter.reconcile()
    tenant = aborted_for_want_of_disk(host)
    assert f"no more could be spilled: {folder}" in str(tenant.aborted)
    assert "--spill-dir" in tenant.remedy
    assert isinstance(host.arbiter.spill_failure, SpillFolderUnusable)


def test_what_a_store_is_kept_with_never_counts_as_free(host: Host) -> None:
    first, second = host.lease(60), host.lease(10)
    growth = Growth(second, 30)
    second.until_held()
    first.leave(kept_mib=60)
    assert growth.end(), "up to the limit, for nobody else is there"
    assert host.charged_mib == 100
    again = seated(host.arbiter, Tenant(), 7, idle_bytes=60 * MIB)
    assert host.charged_mib == 100
    again.leave()
    assert host.charged_mib == 40


def test_a_lease_that_has_left_is_not_abandoned(host: Host) -> None:
    lease = host.lease(30)
    lease.leave()
    lease.place.abandon()
    assert host.charged_mib == 0


def test_what_could_not_be_opened_is_given_back(host: Host) -> None:
    lease = host.lease(30)
    lease.place.give_back(10 * MIB)
    assert host.charged_mib == 20


def test_without_back_pressure_everything_is_granted(tmp_path: Path) -> None:
    host = Host(tmp_path, "none")
    lease = host.lease()
    assert lease.grow(500)
    host.arbiter.reconcile()
    assert lease.actions == []


def test_where_the_resident_size_cannot_be_read_the_charge_serves(host: Host) -> None:
    host.resident = None
    assert host.arbiter.measure_baseline() is None
    first, second = host.lease(50), host.lease(10)
    host.arbiter.reconcile()
    growth = Growth(second, 30)
    second.until_held()
    first.leave()
    assert growth.end()


def test_a_spike_that_has_passed_condemns_nobody(host: Host) -> None:
    lease = host.lease(10)
    host.resident = 200 * MIB
    host.arbiter.reconcile()
    host.resident = 10 * MIB
    host.arbiter.reconcile()
    assert lease.grow(10)
    assert Action.PARK not in lease.actions


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

    host = Host(tmp_path, observer=Told())
    first, second = host.lease(50), host.lease(10)
    growth = Growth(second, 30)
    second.until_held()
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

    def work(lease: Lease) -> None:
        for _ in range(20):
            if not lease.grow(2):
                failures.append(f"{lease.number} was refused")
            lease.place.checkpoint()
        lease.leave()

    leases = [host.lease(tenant=Tenant(lambda: MIB)) for _ in range(8)]
    threads = [threading.Thread(target=work, args=(lease,), daemon=True) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON_S)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []
    assert host.charged_mib == 0
