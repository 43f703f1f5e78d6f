"""The orders and sums that decisions go by follow the leases through all that happens to them."""

import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from atectl.accounting import Budget
from atectl.arbitration.deciding import decide, decide_among
from atectl.arbitration.policies import Rules, rules
from atectl.arbitration.roster import Order, Roster, Wait, wait_of
from atectl.arbitration.standing import Phase, Standing
from atectl.arbitration.view import Action, Decision, HostView
from tests.support.any_rules import guarded_rules
from tests.support.plain_deciding import decide_plainly

LIMITS = (20, 70, 1000)
"""Limits of hosts. Where there are few bytes, sums of sizes often come exactly to a threshold."""
ORDER = rules("both").spill_order


def parked(number: int, held: int = 100) -> Standing:
    return Standing(number, 0, held).park().reach_tick()


def waits(number: int, asked: int, held: int = 100) -> Standing:
    return Standing(number, 0, held).ask(asked).park()


def test_who_runs_is_told_in_the_order_of_registration() -> None:
    roster = Roster([Standing(3, 0, 0), Standing(1, 0, 0), parked(2)])
    assert [lease.number for lease in roster.all_running()] == [1, 3]
    roster.put(Standing(1, 0, 0).park())
    roster.remove(3)
    assert roster.running == 0


def test_the_oldest_is_found_among_those_that_wait_for_no_more() -> None:
    roster = Roster([waits(1, 50), waits(2, 20), waits(3, 20)])
    assert roster.oldest_waiting([Wait.GROWTH], 49) == 2
    assert roster.oldest_waiting([Wait.GROWTH], 50) == 1
    assert roster.oldest_waiting([Wait.GROWTH], 50, after=2) == 3
    assert roster.oldest_waiting([Wait.GROWTH], 19) is None
    assert roster.oldest_waiting([Wait.RETURN], 50) is None


def test_those_who_want_too_much_are_told_in_the_order_of_registration() -> None:
    roster = Roster([waits(1, 500), waits(2, 5), waits(3, 900)])
    assert roster.wanting_more_than(lambda size: size <= 300) == [1, 3]
    assert roster.wanting_more_than(lambda size: size <= 2000) == []


def test_who_gives_first_is_told_first() -> None:
    roster = Roster([parked(1, 10), parked(2, 30), parked(3, 20)], ORDER)
    assert [lease.number for lease in roster.spillable(but_for=None)] == [2, 3, 1]
    assert [lease.number for lease in roster.spillable(but_for=3, younger_than=1)] == [2]
    assert (roster.spillable_bytes, roster.spillable_bytes_of_others(parked(2, 30))) == (60, 30)


def test_one_that_runs_is_seen_as_it_is_now() -> None:
    roster = Roster([Standing(1, 0, 0)], current=lambda number: Standing(number, 0, 77))
    assert [lease.held_bytes for lease in roster.all_running()] == [77]


def test_sizes_that_nobody_waits_for_any_more_are_forgotten() -> None:
    roster = Roster([waits(1, 50), waits(2, 60)])
    roster.put(waits(1, 50).go_on())
    roster.remove(2)
    assert not any(roster._waiting)


# Hosts at one moment


@st.composite
def hosts(draw: st.DrawFn) -> HostView:
    """A host whose leases stand in any way, on a disk that may have room for some of them only."""
    limit = draw(st.sampled_from(LIMITS))
    tenth, leases = limit // 10, []
    for number in range(1, draw(st.integers(2, 7))):
        lease = Standing(number, draw(st.integers(-1, 1)), draw(st.integers(0, 3 * tenth)))
        stands = draw(st.sampled_from(["runs", "asks", "waits", "parked", "spilled"]))
        if stands in ("asks", "waits"):
            lease = lease.ask(draw(st.integers(1, 4 * tenth)))
        if stands in ("waits", "parked", "spilled"):
            lease = lease.park()
        if stands in ("parked", "spilled"):
            lease = lease.reach_tick()
        if stands == "spilled" and lease.can_be_spilled:
            lease = lease.spill().spilled(lease.held_bytes)
        leases.append(lease)
    resident = draw(st.none() | st.integers(0, 12 * tenth))
    room, busy = draw(st.integers(0, 6 * tenth)), draw(st.integers(1, 3))
    return HostView(Budget(limit), resident, tenth, tuple(leases), room, busy)


@settings(max_examples=400)
@given(hosts(), guarded_rules)
def test_what_is_decided_is_that_of_a_look_at_every_lease(host: HostView, rules: Rules) -> None:
    assert decide(host, rules) == decide_plainly(host, rules)


# Histories


class History:
    """Leases to which all happens that can, at random, and what is decided about them."""

    def __init__(self, source: random.Random, rules: Rules) -> None:
        self.source = source
        self.rules = rules
        self.leases: dict[int, Standing] = {}
        self.gone: set[int] = set()
        self.roster = Roster(order=rules.spill_order)
        self.limit = source.choice(LIMITS)
        self.resident: int | None = None
        self.compiling = 0
        self.room = source.choice((0, source.randint(self.limit // 20, self.limit // 2), 10_000))
        self.busy = source.randint(1, 3)
        self.enough = source.choice((0, source.randint(1, 4)))
        self.of_others = source.choice((0, self.limit // 20))

    def become(self, lease: Standing) -> None:
        self.leases[lease.number] = lease
        self.roster.put(lease)

    def in_order(self) -> list[Standing]:
        """The leases in the order of their numbers."""
        return [self.leases[number] for number in sorted(self.leases)]

    def view(self) -> HostView:
        return HostView(
            Budget(self.limit),
            self.resident,
            self.limit // 10,
            tuple(self.in_order()),
            self.room,
            self.busy,
            self.compiling,
            self.enough,
            self.of_others,
        )

    def happen(self) -> None:
        """One thing that can happen to a lease, or a new one."""
        one = self.source.choice([*self.leases.values(), None])
        if one is None:
            # A job that is run again has the number that it had before.
            number = self.source.choice(
                [*self.gone, max([*self.leases, *self.gone], default=0) + 1]
            )
            self.gone.discard(number)
            self.become(Standing(number, self.source.randint(-1, 1), 0))
        else:
            self.source.choice(self._possible(one))()
        resident = self.source.randint(0, self.limit * 12 // 10)
        self.resident = self.source.choice((None, self.resident, resident))
        self.compiling = self.source.choice((0, 0, self.source.randint(0, self.limit // 4)))

    def _possible(self, lease: Standing) -> list[Callable[[], object]]:
        found: list[Callable[[], object]] = [lambda: self._leave(lease)]
        if lease.spilling:
            found += [
                lambda: self.become(lease.spilled(lease.held_bytes)),
                lambda: self.become(lease.spill_failed(0)),
            ]
        elif not lease.is_held:
            size = self.source.choice((self.limit // 20, self.source.randint(1, self.limit)))
            found += 3 * [lambda: self.become(lease.ask(size))]
            found.append(lambda: self.become(lease.fall_asleep()))
            if lease.parking:
                found += 3 * [lambda: self.become(lease.reach_tick())]
        return found

    def _leave(self, lease: Standing) -> None:
        del self.leases[lease.number]
        self.gone.add(lease.number)
        self.roster.remove(lease.number)

    def decide(self) -> tuple[list[Decision], list[Decision]]:
        """What is decided: by the orders that are kept, and by a look at every lease."""
        view = self.view()
        plainly = decide_plainly(view, self.rules)
        decided = decide_among(self.roster, view.state, self.rules)
        for made in decided:
            self.become(_carried_out(self.leases[made.lease], made.action))
        return decided, plainly


def _carried_out(lease: Standing, action: Action) -> Standing:
    match action:
        case Action.PARK:
            return lease.park()
        case Action.SPILL:
            return lease.spill()
        case Action.ABORT:
            return lease.abort()
        case _:
            return lease.go_on() if lease.phase is not Phase.RUNNING else lease.park().go_on()


def sizes_of(leases: list[Standing]) -> list[int]:
    """What each lease waits for and would hold then, and one byte less."""
    sizes = [(lease.return_bytes, lease.held_bytes + lease.asked_bytes) for lease in leases]
    return sorted({size - less for both in sizes for size in both for less in (0, 1)})


def known(roster: Roster) -> dict[str, object]:
    """All that can be asked of a roster."""
    leases = list(roster)
    numbers, sizes = [None, *(lease.number for lease in leases)], sizes_of(leases)
    sums = {name: size for name, size in vars(roster).items() if isinstance(size, int)}
    return {
        "leases": leases,
        "running": list(roster.all_running()),
        "held": list(roster.all_held()),
        "askers": list(roster.askers),
        "oldest held": roster.oldest_held,
        "waiting": [
            roster.oldest_waiting([wait], size, after)
            for wait in Wait
            for size in sizes
            for after in numbers
        ],
        "wanting": [roster.wanting_more_than(lambda most, s=size: most <= s) for size in sizes],
        "to be spilled": [
            [lease.number for lease in roster.spillable(but_for=other, younger_than=younger)]
            for other in numbers
            for younger in numbers
        ],
        "of others": [roster.spillable_bytes_of_others(lease) for lease in leases],
        **sums,
    }


def seen(leases: list[Standing], order: Order | None) -> dict[str, object]:
    """The same, found by a look at every lease."""
    numbers, sizes = [None, *(lease.number for lease in leases)], sizes_of(leases)
    held = [lease for lease in leases if lease.may_go_on]
    spillable = [lease for lease in leases if order is not None and lease.can_be_spilled]
    in_order = sorted(spillable, key=order) if order else []
    return {
        "leases": leases,
        "running": [lease for lease in leases if lease.makes_progress],
        "held": held,
        "askers": [lease.number for lease in leases if lease.awaits_first_answer],
        "oldest held": held[0].number if held else None,
        "waiting": [
            next(
                (
                    lease.number
                    for lease in held
                    if wait_of(lease) is wait
                    and lease.return_bytes <= size
                    and lease.number > (after or 0)
                ),
                None,
            )
            for wait in Wait
            for size in sizes
            for after in numbers
        ],
        "wanting": [
            [x.number for x in held if x.asked_bytes and x.held_bytes + x.asked_bytes > size]
            for size in sizes
        ],
        "to be spilled": [
            [x.number for x in in_order if x.number != other and x.number > (younger or 0)]
            for other in numbers
            for younger in numbers
        ],
        "of others": [
            sum(other.spillable_bytes for other in spillable if other != lease) for lease in leases
        ],
        "asked_bytes": sum(lease.asked_bytes for lease in leases),
        "changing": sum(lease.is_changing for lease in leases),
        "parking": sum(lease.parking and not lease.stalled for lease in leases),
        "awaited_sleepers": sum(lease.stalled and not lease.aborting for lease in leases),
        "away_bytes": sum(lease.away_bytes for lease in leases),
        "relief_bytes": sum(lease.relief_bytes for lease in leases),
        "spilling_bytes": sum(lease.room_needed_bytes for lease in leases if lease.spilling),
        "spillable_bytes": sum(lease.spillable_bytes for lease in spillable),
        "spillable_room_bytes": sum(lease.room_needed_bytes for lease in spillable),
    }


@given(st.integers(0, 1 << 32), guarded_rules)
def test_through_any_history_each_decision_is_that_of_a_look_at_every_lease(
    seed: int, rules: Rules
) -> None:
    history = History(random.Random(seed), rules)
    for _ in range(60):
        history.happen()
        for _ in range(len(history.leases) + 1):
            decided, plainly = history.decide()
            assert decided == plainly
            if not decided:
                break


@given(st.integers(0, 1 << 32), guarded_rules)
def test_through_any_history_what_is_kept_is_what_a_look_at_every_lease_finds(
    seed: int, rules: Rules
) -> None:
    history = History(random.Random(seed), rules)
    for _ in range(60):
        history.happen()
        history.decide()
        assert known(history.roster) == seen(history.in_order(), rules.spill_order)
