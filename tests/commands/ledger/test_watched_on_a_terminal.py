"""`ledger ls --watch`, `ledger ps --watch` and `-o wide` on a real pseudo-terminal."""

import os
from contextlib import closing

import pytest

from atectl.ledger_store.opening import open_for_writing
from tests.support.ledger_records import MIB, just_now, lease
from tests.support.program import ATECTL, atectl
from tests.support.pty_screen import PtyScreen


def write(principal: str) -> None:
    record = lease(principal, id=principal, **{**just_now(), "current_bytes": 5 * MIB})
    with closing(open_for_writing()) as store:
        store.flush((record,))


@pytest.mark.parametrize("words", [("ledger", "ls", "-w"), ("ledger", "ps", "-w"), ("ps", "-w")])
def test_a_watched_list_shows_what_is_new_until_q(words: tuple[str, ...]) -> None:
    write("alpha")
    with PtyScreen([ATECTL, *words], dict(os.environ), columns=60, rows=8) as screen:
        screen.until_shown("alpha")
        screen.until_shown("q quit")
        write("beta")
        screen.until_shown("beta")
        screen.resize(40, 6)
        screen.until(lambda: screen.lines[-1].startswith("q quit"))
        screen.send("q")
        assert screen.end() == 0


@pytest.mark.parametrize("words", [("ls",), ("ps", "-o", "json"), ("ls", "--by", "host")])
def test_what_cannot_be_watched_is_refused(words: tuple[str, ...]) -> None:
    refused = atectl("ledger", *words, "--watch")
    assert refused.status == 2
    assert "--watch needs a terminal, and draws a table" in refused.stderr


def test_a_wide_table_leaves_nothing_out_on_a_narrow_terminal() -> None:
    write("alpha")
    with PtyScreen([ATECTL, "ps", "-o", "wide"], dict(os.environ), columns=40, rows=20) as screen:
        assert screen.end() == 0
        shown = screen.output.decode()
    assert all(title in shown for title in ("REFUSED", "ELAPSED", "HOST", "ID"))


def test_a_short_form_is_the_command_of_the_group() -> None:
    write("alpha")
    assert atectl("ps", "-o", "json").stdout == atectl("ledger", "ps", "-o", "json").stdout
    assert atectl("top", "--once").stdout.startswith("leases ")
