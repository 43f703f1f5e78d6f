"""What a host process is seen to use, and the room that is left of it."""

from atectl.accounting import Budget, Pressure
from atectl.arbitration.measuring import HostUse

BUDGET = Budget(1000)  # soft 800, resume 700


class Lease:
    def __init__(self, resident: int | None) -> None:
        self.resident = resident

    def resident_bytes(self) -> int | None:
        return self.resident


class Host:
    """A process of which the test says what is resident, and what time it is."""

    def __init__(self, resident: int | None = 0) -> None:
        self.resident = resident
        self.now = 0.0
        self.use = HostUse(BUDGET, lambda: self.resident, lambda: self.now)


def test_each_charge_takes_of_the_room_and_gives_back_to_it() -> None:
    use = Host().use
    use.charge(300)
    assert (use.charged_bytes, use.room_bytes) == (300, 500)
    use.charge(-100)
    assert (use.charged_bytes, use.room_bytes) == (200, 600)


def test_over_soft_by_what_is_resident_there_is_no_room_whatever_is_given_back() -> None:
    host = Host(resident=801)
    host.use.charge(300)
    host.use.read()
    host.use.charge(-200)
    assert host.use.room_bytes < 0
    host.resident = 800
    host.use.read()
    assert host.use.room_bytes == 700


def test_the_room_is_always_what_the_budget_says() -> None:
    host = Host(resident=100)
    use = host.use
    use.take_baseline()
    for change in (
        lambda: use.charge(250),
        lambda: use.keep_idle(100),
        lambda: use.lease_idle(60),
        lambda: use.drop_idle(40),
        lambda: use.charge(-50),
        use.read,
    ):
        change()
        assert use.room_bytes == BUDGET.room_below_soft_bytes(use.pressure)


def test_what_is_idle_is_charged_until_it_is_dropped() -> None:
    use = Host().use
    use.keep_idle(100)
    assert (use.idle_bytes, use.charged_bytes) == (100, 100)
    use.lease_idle(60)
    assert (use.idle_bytes, use.charged_bytes) == (40, 100)
    use.drop_idle(40)
    assert (use.idle_bytes, use.charged_bytes) == (0, 60)


def test_a_baseline_that_cannot_be_read_counts_as_nothing() -> None:
    use = Host(resident=None).use
    assert use.take_baseline() is None
    assert use.pressure == Pressure(None, 0, 0)


def test_what_is_expected_for_more_than_one_lease_is_gone_once_one_is_alone() -> None:
    host = Host(resident=100)
    host.use.take_baseline()
    host.use.expect(40, for_one_bytes=40)
    assert host.use.pressure.baseline_of_others_bytes == 0
    host.use.expect(80, for_one_bytes=40)
    assert (host.use.baseline_bytes, host.use.pressure.baseline_of_others_bytes) == (220, 80)


def test_what_more_leases_have_come_to_need_is_gone_then_too() -> None:
    host = Host(resident=100)
    host.use.take_baseline()
    host.use.expect(80, for_one_bytes=40)
    host.resident = 750
    assert [measured(host), measured(host)] == [180, 750]
    assert host.use.pressure.baseline_of_others_bytes == 610


def test_what_is_expected_no_more_was_part_of_what_was_measured() -> None:
    host = Host(resident=100)
    host.use.take_baseline()
    host.use.expect(80, for_one_bytes=40)
    host.resident = 750
    assert [measured(host), measured(host)] == [180, 750]
    host.use.expect(-40, for_one_bytes=40)
    assert (host.use.baseline_bytes, host.use.pressure.baseline_of_others_bytes) == (710, 0)


def measured(host: Host, *leases: Lease) -> int:
    """The baseline after another look, long enough after the last."""
    host.now += 1
    host.use.look(leases)
    return host.use.baseline_bytes


def test_what_is_resident_beside_the_leases_counts_from_the_second_look_on() -> None:
    host = Host(resident=750)
    assert measured(host, Lease(300)) == 0
    assert measured(host, Lease(300)) == 450


def test_a_spike_between_two_looks_is_not_part_of_the_baseline() -> None:
    host = Host(resident=750)
    assert [measured(host, Lease(size)) for size in (300, 700, 300)] == [0, 50, 50]


def test_measuring_takes_a_twentieth_of_the_time_however_long_it_takes() -> None:
    host, asked_at = Host(resident=750), []

    class Large(Lease):
        def resident_bytes(self) -> int:
            asked_at.append(host.now)
            host.now += 1
            return 300

    for _ in range(60):
        host.now += 1
        host.use.look([Large(None)])
    first, second = asked_at[0], asked_at[2]  # each measurement looks twice
    assert 40 <= second - first <= 42


def test_below_resume_nothing_is_measured() -> None:
    host = Host(resident=699)
    assert [measured(host, Lease(300)) for _ in range(2)] == [0, 0]


def test_where_what_a_lease_holds_cannot_be_read_the_baseline_stays() -> None:
    host = Host(resident=750)
    assert [measured(host, Lease(300), Lease(None)) for _ in range(2)] == [0, 0]


def test_what_compiles_takes_room_but_is_never_of_the_baseline() -> None:
    host = Host(resident=750)
    host.use.take_baseline()
    host.use.compile(60)
    host.use.read()
    assert host.use.pressure == Pressure(750, 750, 0, 60)
    assert host.use.room_bytes == BUDGET.room_below_soft_bytes(host.use.pressure) < 0
    assert measured(host) == measured(host) == 750
    assert host.use.take_baseline() == 750
    host.use.compile(0)
    assert host.use.pressure == Pressure(750, 750, 0, 0)


def test_what_the_host_is_about_to_hold_leaves_no_room_though_it_is_not_there_yet() -> None:
    use = Host(resident=100).use
    use.take_baseline()
    use.expect(50)
    assert (use.baseline_bytes, use.room_bytes) == (150, 650)
    use.expect(-50)
    assert (use.baseline_bytes, use.room_bytes) == (100, 700)


def test_what_was_expected_counts_once_when_it_is_there() -> None:
    host = Host(resident=100)
    host.use.take_baseline()
    host.use.expect(50)
    host.use.charge(600)
    host.resident = 750
    for _ in range(2):
        host.now += 1
        host.use.look([Lease(600)])
    assert host.use.baseline_bytes == 150
