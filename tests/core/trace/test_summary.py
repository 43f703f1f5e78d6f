"""How a run went: counted as a whole and lease by lease, and honest about one that was cut off."""

from atectl.arbitration.view import Action
from atectl.trace.events import Event, Finished, Registered, Ruled, Sampled
from atectl.trace.summary import Fate, fates, summarise
from tests.support.trace_records import RECIPES

ONE, TWO = Registered(0.0, 1, 0, "a", "first", "x.wat"), Registered(0.0, 2, 0)


def ruled(at_s: float, action: Action, lease: int, size: int = 0, reason: str = "") -> Ruled:
    freed = size if action is Action.SPILL else None
    return Ruled(at_s, action, lease, size, freed, reason, None, 0, 0)


EVENTS: tuple[Event, ...] = (
    TWO,
    ONE,
    Sampled(0.5, 700, 100, 200),
    ruled(1.0, Action.PARK, 1),
    ruled(1.5, Action.SPILL, 1, 300, "spilled"),
    ruled(1.6, Action.SPILL, 1, 300, "failed: the disk is full"),
    ruled(1.75, Action.RESUME, 1),
    ruled(2.0, Action.ABORT, 2, 5),
    Finished(2.5, 2),
    Finished(3.0, 1),
    Sampled(3.5, 700, 100, 200),
)


def test_a_summary_counts_what_was_done() -> None:
    assert summarise(EVENTS) == (3.0, 2, 1, 0, 1, 1, 300, (2,), 700)


def test_each_lease_is_told_of_in_the_order_of_their_numbers() -> None:
    assert fates(EVENTS) == [
        Fate(ONE, 1, 1.0, 0.75, 1, 300, None, 3.0),
        Fate(TWO, aborted_s=2.0, finished_s=2.5),
    ]
    assert all(fate.was_touched for fate in fates(EVENTS))


def test_a_run_that_was_cut_off_took_until_its_last_event_and_says_what_was_left() -> None:
    summary = summarise(EVENTS[:5])
    assert (summary.makespan_s, summary.finished, summary.unfinished) == (1.5, 0, 2)
    assert fates(EVENTS[:5])[0].held_s == 0.5


def test_leases_that_were_to_run_and_never_began_are_unfinished() -> None:
    summary = summarise((), [ONE, TWO])
    assert (summary.lease_count, summary.unfinished, summary.finished) == (2, 2, 0)


def test_no_events_come_to_nothing() -> None:
    assert summarise(()) == (0.0, 0, 0, 0, 0, 0, 0, (), 0)


def test_what_the_leases_met_comes_to_what_the_run_did() -> None:
    events = RECIPES["spilled"].events()
    found, summary = fates(events), summarise(events)
    assert sum(fate.parks for fate in found) == summary.parks > 0
    assert sum(fate.spilled_bytes for fate in found) == summary.spilled_bytes > 0
    assert all(0 < fate.held_s < summary.makespan_s for fate in found if fate.parks)
