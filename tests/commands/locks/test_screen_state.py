"""`locks ls --watch` as a pure state: listings, keys and sizes go in."""

import pytest

from atectl.commands.locks.screen_state import (
    SORT_KEYS,
    Event,
    Key,
    Listed,
    ListingFailed,
    LocksScreen,
    Resized,
    Tick,
    reduce,
)
from atectl.locks.charged import ChargedLock
from atectl.locks.sorting import SortBy
from tests.support.lock_rows import ROWS


def after(*events: Event, rows: list[ChargedLock] = ROWS) -> LocksScreen:
    state = LocksScreen(30.0)
    for event in (Resized(100, 8), Listed(tuple(rows)), *events):
        state = reduce(state, event)
    return state


def names(state: LocksScreen) -> list[str]:
    return [each.lock.actor for each in state.rows]


def test_rows_come_in_order_and_are_reversed() -> None:
    ascending = names(after())
    assert ascending == names(after(Key("r")))[::-1]
    assert names(after(Key("v")))[:4] == ["batch", "scratch", "crawler", "reports"]


def test_q_ends_and_space_pauses() -> None:
    assert after(Key("q")).is_done
    assert after(Key(" ")).is_paused
    assert not after(Key(" "), Key(" ")).is_paused


@pytest.mark.parametrize(
    ("keys", "first"),
    [
        (["down"], 1),
        (["down", "up", "up"], 0),
        (["page-down"], 3),
        (["end"], 3),
        (["end", "home"], 0),
        (["x"], 0),
    ],
)
def test_scrolling_stays_within_the_rows(keys: list[str], first: int) -> None:
    state = after(*map(Key, keys))
    assert state.first == first
    assert len(state.visible_rows) == 5


def test_a_larger_terminal_shows_what_was_scrolled_away() -> None:
    assert after(Key("end"), Resized(100, 50)).first == 0


def test_a_failure_keeps_the_rows_until_the_next_listing() -> None:
    failed = after(ListingFailed("no answer"))
    assert (failed.failure, len(failed.rows)) == ("no answer", len(ROWS))
    assert reduce(failed, Listed(())).failure is None


def test_a_limit_shows_the_first_of_whatever_order() -> None:
    state = reduce(LocksScreen(30.0, limit=1), Listed(tuple(ROWS)))
    assert names(state) == ["a-name-that-is-as-long-as-a-label-may-be-which-is-63-characters"]
    assert names(reduce(state, Key("v"))) == ["batch"]


def test_every_order_has_a_key() -> None:
    assert sorted(SORT_KEYS.values()) == sorted(SortBy)


class TestAge:
    """A listing that is old says so: what is on the screen may be over long since."""

    def listed(self) -> LocksScreen:
        return reduce(LocksScreen(30.0), Listed((), at=100.0))

    def test_a_new_listing_has_none(self) -> None:
        assert reduce(self.listed(), Tick(101.0)).age_s is None

    def test_one_whose_successor_is_late_has_it_though_nothing_has_failed_yet(self) -> None:
        assert reduce(self.listed(), Tick(112.0)).age_s == 12.0

    def test_it_goes_on_while_the_server_does_not_answer(self) -> None:
        failed = reduce(reduce(self.listed(), Tick(105.0)), ListingFailed("no answer"))
        assert failed.age_s == 5.0
        assert reduce(failed, Tick(112.0)).age_s == 12.0

    def test_the_next_listing_ends_it(self) -> None:
        late = reduce(self.listed(), Tick(112.0))
        assert reduce(late, Listed((), at=112.0)).age_s is None

    def test_nobody_waits_for_a_listing_while_it_is_paused(self) -> None:
        paused = reduce(self.listed(), Key(" "))
        assert reduce(paused, Tick(200.0)).age_s is None
