"""The screen of `ledger top` as a state: keys, sizes and samples in, what is shown out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.commands.ledger.sorting import SORT_ORDERS, SortBy
from atectl.commands.ledger.top_rates import Rate
from atectl.commands.ledger.top_state import Sampled, SampleFailed, TopState, reduce
from atectl.commands.terminal.events import Key, Resized
from atectl.ledger_store.records import LeaseRecord
from tests.support.ledger_records import MIB, NOW, account, lease, overview

KEY_NAMES = [
    *(order.key for order in SORT_ORDERS),
    *("up", "down", "page-up", "page-down", "home", "end"),
    *("/", "r", " ", "esc", "enter", "backspace", "ctrl-u", "z", "7", "tab", "?", "k", "i"),
]


def press(state: TopState, *keys: str) -> TopState:
    for key in keys:
        state = reduce(state, Key(key))
    return state


def many(count: int) -> list:
    """Accounts p0000, p0001, …, the first with the most memory."""
    return [account(f"p{i:04}", current_bytes=(count - i) * MIB) for i in range(count)]


def shown(*accounts: object, width: int = 80, height: int = 20, **fields: object) -> TopState:
    return reduce(TopState(width, height, **fields), Sampled(overview(*accounts)))


def names(state: TopState) -> list[str]:
    return [row.principal for row in state.rows]


THREE = (
    account("alpha", current_bytes=2, peak_bytes=10, cpu_s=3.0),
    account("beta", current_bytes=3, peak_bytes=30, cpu_s=1.0),
    account("gamma", current_bytes=1, peak_bytes=20, cpu_s=2.0),
)


def test_accounts_are_sorted_by_memory_at_first() -> None:
    assert names(shown(*THREE)) == ["beta", "alpha", "gamma"]


def test_a_sort_key_sorts_in_its_own_direction() -> None:
    state = shown(*THREE)
    assert names(press(state, "p")) == ["beta", "gamma", "alpha"]
    assert names(press(state, "n")) == ["alpha", "beta", "gamma"]


def test_r_reverses_and_reverses_back() -> None:
    state = press(shown(*THREE), "c", "r")
    assert names(state) == ["beta", "gamma", "alpha"]
    assert names(press(state, "r")) == ["alpha", "gamma", "beta"]


def test_another_order_begins_unreversed() -> None:
    assert names(press(shown(*THREE), "r", "p")) == ["beta", "gamma", "alpha"]


def test_the_key_of_the_order_at_hand_changes_nothing() -> None:
    state = press(shown(*THREE), "p", "r")
    assert press(state, "p") == state


def test_equal_accounts_are_ordered_by_peak_and_then_by_name() -> None:
    rows = (account("b", peak_bytes=1), account("a", peak_bytes=1), account("c", peak_bytes=2))
    assert names(press(shown(*rows), "l")) == ["c", "a", "b"]


def test_every_order_has_a_key_of_its_own_that_means_nothing_else() -> None:
    keys = [order.key for order in SORT_ORDERS]
    assert len(set(keys)) == len(keys) == len(SortBy)
    assert not set(keys) & {"q", "r", "/", " ", "?", "k", "i", "y"}


def test_the_limit_holds_after_sorting() -> None:
    assert names(shown(*THREE, limit=2)) == ["beta", "alpha"]
    assert names(press(shown(*THREE, limit=2), "p")) == ["beta", "gamma"]


def test_nothing_is_selected_until_a_key_selects() -> None:
    assert shown(*THREE).selected is None
    assert press(shown(*THREE), "down").selected == "beta"


def test_the_selection_moves_and_stops_at_both_ends() -> None:
    state = press(shown(*THREE), "down", "down")
    assert state.selected == "alpha"
    assert press(state, "down", "down", "down").selected == "gamma"
    assert press(state, "up", "up", "up").selected == "beta"
    assert press(state, "end").selected == "gamma"
    assert press(state, "home").selected == "beta"


def test_the_selection_follows_the_principal_through_sorting() -> None:
    state = press(shown(*THREE), "home")
    assert press(state, "n").selected == "beta"


def test_the_selection_follows_the_principal_through_samples() -> None:
    state = press(shown(*many(100), height=20), "home")
    fallen = [account("p0000", current_bytes=0), *many(100)[1:]]
    state = reduce(state, Sampled(overview(*fallen)))
    assert state.selected == "p0000"
    assert state.visible_rows[-1].principal == "p0000"


def test_a_principal_that_is_gone_is_selected_no_more() -> None:
    state = press(shown(*THREE), "home")
    assert reduce(state, Sampled(overview(*THREE[:1]))).selected is None


def test_escape_deselects() -> None:
    assert press(shown(*THREE), "down", "esc").selected is None


def test_a_page_is_what_the_screen_shows() -> None:
    state = press(shown(*many(100), height=20), "home", "page-down")
    assert state.selected == f"p{state.layout.rows:04}"
    assert press(state, "page-up").selected == "p0000"


def test_scrolling_shows_the_selected_row_and_no_more_than_it_must() -> None:
    state = shown(*many(100), height=20)
    rows = state.layout.rows
    state = press(state, *["down"] * (rows + 1))
    assert state.first == 1
    assert press(state, "up").first == 1


def test_a_new_order_shows_its_first_rows() -> None:
    state = press(shown(*many(100)), "end", "esc", "n")
    assert state.first == 0


def test_the_filter_is_applied_as_it_is_typed() -> None:
    state = press(shown(*THREE), "/", "A", "m")
    assert state.is_typing_filter
    assert names(state) == ["gamma"]


def test_keys_of_commands_are_letters_while_the_filter_is_typed() -> None:
    state = press(shown(*THREE), "/", "q", "r")
    assert not state.is_done
    assert state.filter == "qr"


def test_enter_keeps_the_filter() -> None:
    state = press(shown(*THREE), "/", "m", "enter")
    assert not state.is_typing_filter
    assert names(state) == ["gamma"]
    assert names(reduce(state, Sampled(overview(*THREE)))) == ["gamma"]


def test_escape_clears_the_filter_being_typed() -> None:
    state = press(shown(*THREE), "/", "m", "esc")
    assert (state.filter, state.is_typing_filter) == ("", False)
    assert len(state.rows) == 3


def test_escape_clears_a_kept_filter_before_the_selection() -> None:
    state = press(shown(*THREE), "/", "m", "enter", "down", "esc")
    assert (state.filter, state.selected) == ("", "gamma")


def test_backspace_and_ctrl_u_take_back_what_was_typed() -> None:
    state = press(shown(*THREE), "/", "m", "x")
    assert names(state) == []
    assert names(press(state, "backspace")) == ["gamma"]
    assert press(state, "ctrl-u").filter == ""


def test_a_filter_is_no_longer_than_a_principal_can_be() -> None:
    assert press(shown(*THREE), "/", *"x" * 70).filter == "x" * 64


def test_arrows_move_the_selection_while_the_filter_is_typed() -> None:
    assert press(shown(*THREE), "/", "a", "down").selected == "beta"


def test_moving_in_an_empty_table_is_nothing() -> None:
    state = shown()
    assert press(state, "down", "end", "page-up", "home") == state


def test_space_holds_the_table_still_until_pressed_again() -> None:
    state = reduce(press(shown(*THREE), " "), Sampled(overview()))
    assert len(state.rows) == 3
    assert len(reduce(press(state, " "), Sampled(overview())).rows) == 0


def test_a_failed_sample_keeps_the_table_and_is_forgotten_at_the_next() -> None:
    state = reduce(shown(*THREE), SampleFailed("disk on fire", NOW))
    assert state.failure is not None
    assert len(state.rows) == 3
    assert reduce(state, Sampled(overview(*THREE))).failure is None


def test_q_ends() -> None:
    assert press(shown(*THREE), "q").is_done


def test_a_resize_keeps_the_selected_row_in_view() -> None:
    state = press(shown(*many(100), height=50), "home", *["down"] * 30)
    small = reduce(state, Resized(80, 12))
    assert "p0030" in [row.principal for row in small.visible_rows]
    assert (small.width, small.height) == (80, 12)


def test_a_larger_screen_is_filled() -> None:
    state = press(shown(*many(30), height=12), "end")
    large = reduce(state, Resized(80, 23))
    assert len(large.visible_rows) == large.layout.rows


@pytest.mark.parametrize("height", [1, 3, 5, 10, 24, 40, 200])
def test_the_parts_of_the_screen_fit_its_height(height: int) -> None:
    layout = TopState(80, height).layout
    assert layout.rows >= 1
    if height >= 4:
        assert layout.rows + layout.leases + layout.footer + 3 == height


EVENTS = st.one_of(
    st.sampled_from(KEY_NAMES).map(Key),
    st.builds(Resized, st.integers(1, 200), st.integers(1, 60)),
    st.integers(0, 40).map(lambda count: Sampled(overview(*many(count)))),
    st.just(SampleFailed("gone", NOW)),
)


@given(st.lists(EVENTS, max_size=40))
def test_whatever_happens_the_selection_is_in_view_and_the_screen_is_filled(events: list) -> None:
    state = TopState(80, 24)
    for event in events:
        state = reduce(state, event)
        visible = [row.principal for row in state.visible_rows]
        assert state.selected is None or state.selected in visible
        assert len(visible) == min(len(state.rows), state.layout.rows)


def running(identity: str, principal: str = "alpha", **changes: object) -> LeaseRecord:
    return lease(principal, id=identity, **changes)


BUSY = (account("alpha", running_leases=2), account("idle"))
TWO = (running("a", current_bytes=2 * MIB), running("b", current_bytes=MIB))


def busy(**fields: object) -> TopState:
    sample = Sampled(overview(*BUSY, leases=TWO))
    return reduce(TopState(80, 24, **fields), sample)  # type: ignore[arg-type]


def test_keys_select_running_leases_at_first_and_tab_goes_to_the_accounts() -> None:
    state = press(busy(), "down", "down")
    assert (state.lease, state.selected) == ("b", None)
    state = press(state, "tab", "down")
    assert (state.lease, state.selected) == (None, "alpha")


def test_a_lease_that_has_ended_is_selected_no_more() -> None:
    state = press(busy(), "end")
    assert reduce(state, Sampled(overview(*BUSY, leases=TWO[:1]))).lease is None


def test_idle_accounts_are_folded_while_something_runs() -> None:
    assert (names(busy()), busy().idle) == (["alpha"], 1)
    assert names(press(busy(), "i")) == ["alpha", "idle"]
    assert names(press(busy(), "/", "i")) == ["idle"]
    nothing_runs = reduce(busy(), Sampled(overview(account("alpha"), account("idle"))))
    assert names(nothing_runs) == ["alpha", "idle"]


def test_details_are_those_of_what_is_selected() -> None:
    assert press(busy(), "enter").wanted_details is None
    assert press(busy(), "down", "enter").wanted_details == "alpha"
    assert press(busy(), "tab", "down", "enter").wanted_details == "alpha"
    assert press(busy(), "down", "enter", "esc").wanted_details is None


def test_a_lease_is_ordered_to_end_by_a_yes_alone() -> None:
    asked = press(busy(), "down", "k")
    assert asked.to_end == TWO[0]
    assert press(asked, "y").ordered == TWO[0]
    assert press(asked, "n").ordered is None
    assert press(asked, "y", "z").ordered is None


def test_what_a_lease_does_now_is_told_by_two_samples() -> None:
    begin = running("a", cpu_s=1.0, current_bytes=MIB, updated_at=NOW)
    later = begin._replace(cpu_s=1.5, current_bytes=3 * MIB, updated_at=NOW + 2)
    state = reduce(busy(), Sampled(overview(*BUSY, leases=(begin,))))
    state = reduce(state, Sampled(overview(*BUSY, leases=(later,))))
    assert state.rates.found == {"a": Rate(0.25, MIB)}
    state = reduce(state, Sampled(overview(*BUSY, leases=(later,))))  # nothing new was told
    assert state.rates.found == {"a": Rate(0.25, MIB)}


@pytest.mark.parametrize("height", range(1, 40))
def test_something_of_both_lists_is_seen_wherever_there_is_room(height: int) -> None:
    leases = tuple(running(f"n{n}", f"p{n}") for n in range(50))
    accounts = [account(f"p{n}", running_leases=1) for n in range(50)]
    state = reduce(TopState(80, height), Sampled(overview(*accounts, leases=leases)))
    layout = state.layout
    assert layout.rows >= 1
    if height >= 11:
        assert layout.shown_leases >= 1
        assert layout.rows >= 2
