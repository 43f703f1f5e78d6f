"""The simulated host behaves as the real one does; its laws are in test_simulated_laws."""

from itertools import pairwise

import pytest

from atectl.accounting import Budget
from atectl.arbitration.policies import rules
from atectl.arbitration.standing import Phase
from atectl.arbitration.view import Action
from atectl.trace.events import Asked, Decided, Event, Finished, Registered, Ruled, Sampled
from atectl.trace.simulation import simulate
from atectl.trace.workload import Machine, Script, Step

BOTH = rules("both")


def machine(room: int = 1 << 40, cores: int = 2, jobs: int = 8, **more: object) -> Machine:
    made = Machine(Budget(1000), 100, cores, jobs, room, 5000.0)
    return made._replace(**more)  # type: ignore[arg-type]


def grower(*sizes: int, work_s: float = 0.1, **more: object) -> Script:
    script = Script((*(Step(work_s, size) for size in sizes), Step(work_s)))
    return script._replace(**more)  # type: ignore[arg-type]


def rulings(events: tuple[Event, ...], action: Action) -> list[Ruled]:
    return [x for x in events if isinstance(x, Ruled) and x.action is action]


def test_leases_keep_their_numbers_in_whatever_order_they_begin() -> None:
    scripts = [grower(10, number=3), grower(20, number=1), grower(30, number=2)]
    events = simulate(machine(), scripts, BOTH)
    assert [x.lease for x in events if isinstance(x, Registered)] == [3, 1, 2]
    assert {x.lease: x.asked_bytes for x in events if isinstance(x, Asked)} == {3: 10, 1: 20, 2: 30}


def test_leases_are_seen_in_the_order_of_their_numbers() -> None:
    scripts = [grower(300, 300, number=number) for number in (2, 3, 1)]
    moments = [x for x in simulate(machine(), scripts, BOTH) if isinstance(x, Decided)]
    assert moments
    for moment in moments:
        numbers = [lease.number for lease in moment.leases]
        assert numbers == sorted(numbers)


def test_a_growth_that_fits_below_soft_is_granted_without_a_decision() -> None:
    events = simulate(machine(), [grower(100, 100), grower(100, 100)], BOTH)
    assert sum(isinstance(event, Asked) for event in events) == 4
    assert not any(isinstance(event, Decided) for event in events)


def test_the_file_behind_a_memory_stays_for_as_long_as_its_lease() -> None:
    """Whoever was spilled once takes no more room for it the next time, and never less."""
    scripts = [grower(*[60] * 8) for _ in range(4)]
    events = simulate(machine(room=2000), scripts, BOTH)
    stored: dict[int, int] = {}
    for event in events:
        if isinstance(event, Ruled) and event.action is Action.SPILL:
            stored[event.lease] = max(stored.get(event.lease, 0), event.bytes)
        elif isinstance(event, Finished):
            stored.pop(event.lease, None)
        elif isinstance(event, Decided):
            seen = {x.number: x.stored_bytes for x in event.leases if x.stored_bytes}
            assert seen == stored
            being_written = sum(x.room_needed_bytes for x in event.leases if x.spilling)
            assert event.spill_room_bytes == 2000 - sum(stored.values()) - being_written
    again = [
        lease
        for event in events
        if isinstance(event, Decided)
        for lease in event.leases
        if lease.stored_bytes and lease.phase is not Phase.SPILLED
    ]
    assert again


@pytest.mark.parametrize("bytes_per_s", [5000.0, 1000.0, 500.0])
def test_leases_that_grow_side_by_side_are_not_all_spilled(bytes_per_s: float) -> None:
    """Each would come to 400 of 700, and all together hold that before one has ended.

    Working takes 3.3 s on two cores: the disk adds little to that, even if it is so slow that
    guests grow faster than it writes.
    """
    on_disk = machine(jobs=12, spill_bytes_per_s=bytes_per_s)
    events = simulate(on_disk, [grower(*[40] * 10, work_s=0.05)] * 12, BOTH)
    spilled = rulings(events, Action.SPILL)
    assert sum(isinstance(event, Finished) for event in events) == 12
    assert sum(ruling.bytes for ruling in spilled) < 12 * 400 / 3
    assert events[-1].at_s < 1.15 * 3.3


def test_who_is_on_disk_does_not_wait_for_those_that_never_end() -> None:
    """The host itself swells for a moment, and three of four are spilled for that."""
    ends = (9.0, 9.0, 500.0, 500.0)
    scripts = [Script((Step(0.01, 100), Step(0.01, 1), Step(end))) for end in ends]
    swells = machine(uncharged=((0.2, 600), (0.5, 0)), cores=1)
    events = simulate(swells, scripts, BOTH)
    ended = {event.lease: event.at_s for event in events if isinstance(event, Finished)}
    spilled = {ruling.lease for ruling in rulings(events, Action.SPILL)}
    assert spilled
    assert all(ended[lease] < 100 for lease in (1, 2)), (spilled, ended)


def test_what_changes_without_anybody_asking_is_seen_within_a_twentieth_of_a_second() -> None:
    """Both touch what they hold while the host itself is larger: past soft before they ask."""
    scripts = [Script((Step(0.1, 250), Step(2.0, 1), Step(0.1))) for _ in range(2)]
    events = simulate(machine(uncharged=((0.2, 250),)), scripts, BOTH)
    first = rulings(events, Action.PARK)[0]
    assert first.bytes == 0
    assert first.reason == "over soft: park-first:largest"
    assert 0.2 < first.at_s < 2.1
    seen = [x for x in events if isinstance(x, Sampled) and 0.2 < x.at_s < first.at_s]
    assert all(later.at_s - x.at_s <= 0.0501 for x, later in pairwise(seen))
    assert [x.resident_bytes for x in seen] == sorted(x.resident_bytes or 0 for x in seen)


def test_memory_that_comes_back_from_disk_is_resident_as_it_is_used() -> None:
    events = simulate(machine(), [grower(*[100] * 6, work_s=0.5) for _ in range(3)], BOTH)
    assert rulings(events, Action.SPILL)
    for event in events:
        if isinstance(event, Sampled | Ruled):
            assert 100 <= (event.resident_bytes or 0) <= 100 + event.charged_bytes


def test_a_lease_asks_for_nothing_after_it_finished() -> None:
    """Its last growth is granted as another ends, at the very moment at which it is looked at."""
    scripts = [Script((Step(0.1, 400), Step(0.9))), Script((Step(0.1, 300), Step(0.1, 200)))]
    events = simulate(machine(), scripts, rules("park"))
    assert rulings(events, Action.GRANT)
    over: set[int] = set()
    for event in events:
        if isinstance(event, Finished):
            assert event.lease not in over
            over.add(event.lease)
        elif isinstance(event, Asked):
            assert event.lease not in over


def test_a_sample_tells_who_is_on_the_way_to_be_parked() -> None:
    scripts = [Script((Step(0.1, 150), Step(2.0))) for _ in range(3)]
    events = simulate(machine(uncharged=((0.5, 500),)), scripts, BOTH)
    parked = rulings(events, Action.PARK)
    at_once = [x for x in events if isinstance(x, Sampled) and x.at_s == parked[0].at_s]
    assert parked[0].lease in at_once[-1].parking
