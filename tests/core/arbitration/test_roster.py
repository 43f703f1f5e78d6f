"""The orders and sums that decisions go by follow the leases through all that happens to them."""

import random
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from atectl.accounting import Budget
from atectl.arbitration.deciding import decide_among
from atectl.arbitration.policies import Rules, rules
from atectl.arbitration.roster import Roster, Wait
from atectl.arbitration.standing import Phase, Standing
from atectl.arbitration.view import Action, Decision, HostView
from tests.support.any_rules import guarded_rules
from tests.support.plain_deciding import decide_plainly

BUDGET = Budget(1000)  # soft 800, resume 700
BASELINE = 100
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


# Histories


class History:
    """Leases to which all happens that can, at random, and what is decided about them."""

    def __init__(self, source: random.Random, rules: Rules) -> None:
        self.source = source
        self.rules = rules
        self.leases: dict[int, Standing] = {}
        self.roster = Roster(order=rules.spill_order)
        self.resident: int | None = None
        self.room = source.choice((0, 150, 10_000))
        self.busy = source.randint(1, 3)
        self.of_others = source.choice((0, BASELINE // 2))

    def become(self, lease: Standing) -> None:
        self.leases[lease.number] = lease
        self.roster.put(lease)

    def view(self) -> HostView:
        leases = tuple(self.leases[number] for number in sorted(self.leases))
        view = HostView(BUDGET, self.resident, BASELINE, leases, self.room, self.busy)
        return view._replace(baseline_of_others_bytes=self.of_others)

    def happen(self) -> None:
        """One thing that can happen to a lease, or a new one."""
        one = self.source.choice([*self.leases.values(), None])
        if one is None:
            number = max(self.leases, default=0) + 1
            self.become(Standing(number, self.source.randint(-1, 1), 0))
        else:
            self.source.choice(self._possible(one))()
        self.resident = self.source.choice((None, self.resident, self.source.randint(0, 1200)))

    def _possible(self, lease: Standing) -> list[Callable[[], object]]:
        found: list[Callable[[], object]] = [lambda: self._leave(lease)]
        if lease.spilling:
            found += [
                lambda: self.become(lease.spilled(lease.held_bytes)),
                lambda: self.become(lease.spill_failed(0)),
            ]
        elif not lease.is_held:
            size = self.source.choice((20, 50, self.source.randint(1, 900)))
            found += 3 * [lambda: self.become(lease.ask(size))]
            found.append(lambda: self.become(lease.fall_asleep()))
            if lease.parking:
                found += 3 * [lambda: self.become(lease.reach_tick())]
        return found

    def _leave(self, lease: Standing) -> None:
        del self.leases[lease.number]
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


def known(roster: Roster) -> dict[str, Any]:
    """All that can be asked of a roster."""
    sizes = (-1, 0, 20, 50, 500, 5000)
    return {
        "leases": list(roster),
        "running": list(roster.all_running()),
        "held": list(roster.all_held()),
        "askers": roster.askers,
        "oldest": roster.oldest_held,
        "waiting": [roster.oldest_waiting([wait], size) for wait in Wait for size in sizes],
        "wanting": [roster.wanting_more_than(lambda most, s=size: most <= s) for size in sizes],
        "spillable": list(roster.spillable(but_for=None)),
        "sums": {name: size for name, size in vars(roster).items() if isinstance(size, int)},
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
def test_through_any_history_what_is_kept_is_what_a_fresh_look_finds(
    seed: int, rules: Rules
) -> None:
    history = History(random.Random(seed), rules)
    for _ in range(60):
        history.happen()
        history.decide()
    fresh = Roster(history.leases.values(), rules.spill_order)
    assert known(history.roster) == known(fresh)
