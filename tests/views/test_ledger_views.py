"""The ledger's tables and the screen of `ledger top`, as they look."""

from io import StringIO

import pytest
from rich.console import Console

from atectl.commands.ledger.numbers import show_count
from atectl.commands.ledger.top_state import Sampled, SampleFailed, TopState, reduce
from atectl.commands.ledger.top_view import top_screen, top_snapshot
from atectl.commands.ledger.usage_view import usage_table
from atectl.commands.ledger.view import (
    account_view,
    accounts_table,
    history_table,
    host_line,
    running_table,
)
from atectl.commands.terminal.events import Key
from atectl.ledger_store.overview import AccountDetails
from atectl.ledger_store.usage import UsageBy, UsageEntry
from tests.support.golden import WIDTHS, assert_looks_like, drawn
from tests.support.ledger_records import GIB, HOST, MIB, NOW, account, finished, lease, overview

ACCOUNTS = [
    account(
        "render-farm",
        running_leases=2,
        current_bytes=97 * MIB,
        quota_bytes=128 * MIB,
        peak_bytes=64 * MIB,
        refused_growths=12,
        cpu_s=754.2,
        byte_seconds=1234.5 * GIB,
        fuel=9_876_543_210,
        last_capsule="resvg.wasm",
        since=NOW - 90_000,
    ),
    account(
        "a-principal-whose-name-is-as-long-as-names-may-be-64-characters_",
        running_leases=1,
        current_bytes=62 * MIB,
        last_capsule="日本語\x1b[31m.wasm",
    ),
    account("idle", peak_bytes=65536, cpu_s=0.01, byte_seconds=1.0, since=NOW - 5),
]
LEASES = (
    lease(
        "render-farm", id="aaaa0001", label="nightly", pid=4711, host="node-1", capsule="resvg.wasm"
    ),
    lease(
        "render-farm",
        id="aaaa0002",
        state="parked",
        pid=4712,
        host="node-1",
        capsule="resvg.wasm",
        current_bytes=62 * MIB,
        refused_growths=12,
    ),
    lease(
        "idle",
        id="aaaa0003",
        state="lost",
        pid=4713,
        host="node-2",
        capsule="日本語\x1b[31m.wasm",
        label="[bold]\x1b]0;title\x07",
    ),
)
HISTORY = [
    finished("render-farm", id="bbbb0001", pid=1, host="node-1", label="nightly"),
    finished("idle", id="bbbb0002", pid=2, host="node-1", reason="deadline", exit_status=124),
    lease("idle", id="bbbb0003", pid=3, host="node-2", state="lost", reason="lost"),
]


def pressed(state: TopState, *keys: str) -> TopState:
    for key in keys:
        state = reduce(state, Key(key))
    return state


def top_of(width: int, height: int = 24) -> TopState:
    return reduce(TopState(width, height), Sampled(overview(*ACCOUNTS, leases=LEASES[:2])))


@pytest.mark.parametrize("width", WIDTHS)
def test_accounts(width: int) -> None:
    assert_looks_like(f"accounts-{width}", drawn(accounts_table(ACCOUNTS, NOW), width))


@pytest.mark.parametrize("width", WIDTHS)
def test_running_leases(width: int) -> None:
    assert_looks_like(f"running-{width}", drawn(running_table(LEASES, NOW), width))


@pytest.mark.parametrize("width", WIDTHS)
def test_history(width: int) -> None:
    assert_looks_like(f"history-{width}", drawn(history_table(HISTORY, NOW), width))


USAGE = [
    UsageEntry("2026-11", UsageBy.principal, "render-farm", False, 1234, 5e4, 9e13, 7, 48 * MIB, 2),
    UsageEntry("2026-11", UsageBy.principal, "\x1b[31m", False, 1, 0.5, 1e6, 0, MIB, 0),
    UsageEntry("2026-10", UsageBy.principal, "", False, 3, 0.5, 1e6, 0, MIB, 0),
    UsageEntry("2026-10", UsageBy.principal, "*", True, 99_999_999, 9e9, 9e18, 2**63, 4 * GIB, 5),
]


@pytest.mark.parametrize("width", WIDTHS)
def test_usage(width: int) -> None:
    table = usage_table(USAGE, UsageBy.principal)
    assert_looks_like(f"usage-{width}", drawn(table, width))


@pytest.mark.parametrize("width", WIDTHS)
def test_one_account(width: int) -> None:
    view = account_view(AccountDetails(ACCOUNTS[0], LEASES[:2], HISTORY[:1]), NOW)
    assert_looks_like(f"account-{width}", drawn(view, width))


def test_what_is_too_long_of_an_account_goes_on_below_it() -> None:
    view = account_view(AccountDetails(ACCOUNTS[0], [], []), NOW)
    assert f"\n{' ' * 16}growth of one lease\n" in drawn(view, 40)


@pytest.mark.parametrize("width", WIDTHS)
def test_top(width: int) -> None:
    assert_looks_like(f"top-{width}", drawn(top_screen(top_of(width)), width))


@pytest.mark.parametrize("width", WIDTHS)
def test_top_with_a_selection_and_another_order(width: int) -> None:
    state = pressed(top_of(width), "end", "n", "r")
    assert_looks_like(f"top-selected-{width}", drawn(top_screen(state), width))


def test_top_offers_the_sort_keys_of_the_columns_it_shows() -> None:
    narrow, wide = (drawn(top_screen(top_of(width)), width) for width in (60, 120))
    assert "p peak" in narrow
    assert "f fuel" not in narrow
    assert "f fuel" in wide


def test_top_in_ascii() -> None:
    picture = drawn(top_screen(top_of(120), ascii_only=True), 120)
    assert "#" in picture
    assert "█" not in picture


def test_top_without_accounts_says_how_to_get_one() -> None:
    state = reduce(TopState(80, 24), Sampled(overview()))
    assert "no accounts yet: `atectl run" in drawn(top_screen(state), 80)


def test_top_whose_filter_nothing_passes_says_so() -> None:
    state = pressed(top_of(80), "/", "z", "z", "enter")
    picture = drawn(top_screen(state), 80)
    assert "no account matches the filter" in picture
    assert "filter zz" in picture


def test_top_shows_the_filter_as_it_is_typed() -> None:
    state = pressed(top_of(80), "/", "i", "d")
    assert "filter: id_" in drawn(top_screen(state), 80)


def test_top_says_that_it_is_paused() -> None:
    assert drawn(top_screen(pressed(top_of(80), " ")), 80).splitlines()[0].startswith("paused")


def test_top_shows_why_its_figures_are_old() -> None:
    state = reduce(top_of(80), SampleFailed("ledger.db: disk I/O error\x1b[2J", NOW + 7))
    line = drawn(top_screen(state), 80).splitlines()[0]
    assert line == "as of 7s ago; trying again: ledger.db: disk I/O error\\x1b[2J"


def test_top_reverses_the_selected_account() -> None:
    state = pressed(top_of(80), "i", "tab", "home")
    console = Console(
        file=StringIO(), width=80, force_terminal=True, color_system="standard", highlight=False
    )
    with console.capture() as capture:
        console.print(top_screen(state))
    lines = capture.get().splitlines()
    assert lines[7].startswith("\x1b[7mrender-farm")
    assert lines[9].startswith("idle")


@pytest.mark.parametrize("width", [1, 10, 30, 59, 61, 100, 200])
@pytest.mark.parametrize("height", [1, 2, 4, 9, 10, 23, 24, 50])
def test_top_has_exactly_the_lines_of_its_terminal(width: int, height: int) -> None:
    state = pressed(top_of(width, height), "down")
    assert len(drawn(top_screen(state), width).splitlines()) == height


def test_a_snapshot_has_every_row_and_no_keys() -> None:
    rows = [account(f"p{number}") for number in range(100)]
    state = reduce(TopState(0, 0), Sampled(overview(*rows)))
    picture = drawn(top_snapshot(state, 120), 120)
    assert len(picture.splitlines()) == 102
    assert "quit" not in picture


def test_the_host_line_leaves_out_what_does_not_fit() -> None:
    look = overview(leases=(lease(),))
    assert host_line(look, 120).plain == (
        "leases 1 running   resident 231 MiB   available 9 GiB of 16 GiB   cgroup 1 GiB of 4 GiB"
    )
    assert host_line(look, 40).plain == "leases 1 running   resident 231 MiB"
    assert host_line(look, 4).plain == ""


def test_the_host_line_shows_what_is_unknown_as_a_dash() -> None:
    assert "resident -" in host_line(overview()._replace(resident_bytes=None), 80).plain


def test_a_lost_lease_holds_no_memory() -> None:
    line = drawn(running_table([lease(state="lost", current_bytes=7 * MIB)], NOW), 120)
    assert "7 MiB" not in line


def test_a_state_and_a_reason_that_a_store_made_up_are_inert() -> None:
    odd = lease(state="\x1b[2J", reason="\x1b]0;", finished_at=NOW)
    assert "\\x1b[2J" in drawn(running_table([odd], NOW), 120)
    assert "\\x1b]0;" in drawn(history_table([odd], NOW), 120)


def test_a_lost_lease_stopped_the_clock_when_it_was_last_heard_of() -> None:
    lost = lease(state="lost", started_at=NOW - 7200, updated_at=NOW - 3600, host=HOST)
    assert "1h00m" in drawn(running_table([lost], NOW), 140)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (99_999, "99999"),
        (100_000, "100k"),
        (999_499, "999k"),
        (999_500, "1.00M"),
        (12_345_678, "12.3M"),
        (2**63 - 1, "9.22E"),
    ],
)
def test_large_counts_have_three_digits(count: int, text: str) -> None:
    assert show_count(count) == text
