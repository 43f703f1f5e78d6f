"""A table that goes to a pipe or file has every column whole, whatever the terminal is like."""

import os
import re
from collections.abc import Iterator
from contextlib import closing

import pytest

from atectl.ledger_store.opening import open_for_writing
from tests.conftest import CAPSULES
from tests.support.lease_records import finish
from tests.support.ledger_records import MIB, just_now, lease
from tests.support.lock_examples import actor_json, token
from tests.support.program import ATECTL, atectl
from tests.support.pty_screen import PtyScreen
from tests.support.redis_servers import Server

LONG = "-".join(f"part{number}" for number in range(40))
"""A name longer than any terminal is wide: of a capsule, a host, a command or a worker."""

COMMANDS = {
    "locks ls": ["locks", "ls"],
    "locks show": ["locks", "show", "demo/web"],
    "locks audit": ["locks", "audit"],
    "ledger ls": ["ledger", "ls"],
    "ledger ps": ["ledger", "ps"],
    "ledger history": ["ledger", "history"],
    "ledger show": ["ledger", "show", "alpha"],
    "ledger top": ["ledger", "top", "--once"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a lock whose holder, worker and actor have long names, as has who released
    another."""
    with Server() as server, closing(server.client()) as client:
        key = "lock:actor:demo:web"
        client.set(key, token(1), px=600_000)
        record = {"token": token(1), "host": "here", "pid": "7", "command": LONG, "fence": "1"}
        client.hset(f"{{{key}}}:holder", mapping=record)
        worker = {"ateomPodNamespace": "ns", "ateomPodName": LONG}
        client.set("actor:demo:web", actor_json("RUNNING", **worker))
        client.set("lock:actor:demo:gone", token(2))
        home = str(tmp_path_factory.mktemp("home"))
        homes = dict.fromkeys(("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), home)
        words = ("release", "demo/gone", "--force", "--yes", "--token", token(2), "--probe", "none")
        environment = {**homes, "ATECTL_REDIS_URL": server.url, "SUDO_USER": LONG}
        released = atectl("locks", *words, environment=environment)
        assert released.status == 0, released.stderr
        yield server


@pytest.fixture
def environment(server: Server) -> dict[str, str]:
    """Everything that is listed has a long name."""
    with closing(open_for_writing()) as store:
        running = lease("alpha", **just_now(), id="a", peak_bytes=MIB, capsule=LONG, label=LONG)
        store.flush([running, finish(running._replace(id="b"))])
    return {"ATECTL_REDIS_URL": server.url}


@pytest.mark.parametrize("more", [{}, {"COLUMNS": "40"}, {"TERM": "dumb"}], ids=str)
@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_what_is_piped_is_never_cut(
    environment: dict[str, str], words: list[str], more: dict[str, str]
) -> None:
    shown = atectl(*words, environment={**environment, **more})
    assert shown.status == 0, shown.stderr
    assert any(LONG in line for line in shown.stdout.splitlines())
    assert "…" not in shown.stdout
    assert "\x1b" not in shown.stdout


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_what_is_piped_has_no_blanks_at_the_ends_of_lines(
    environment: dict[str, str], words: list[str]
) -> None:
    lines = atectl(*words, environment=environment).stdout.splitlines()
    assert lines == [line.rstrip() for line in lines]


@pytest.mark.parametrize(
    "words",
    [
        ["inspect", str(CAPSULES / "component.wat")],
        ["doctor"],
        ["explain"],
        ["explain", "E301"],
        ["schema"],
    ],
    ids=" ".join,
)
def test_pages_that_are_piped_have_no_blanks_at_the_ends_of_lines(words: list[str]) -> None:
    lines = atectl(*words).stdout.splitlines()
    assert lines
    assert lines == [line.rstrip() for line in lines]


WIDE = [words for name, words in COMMANDS.items() if name not in ("ledger top", "ledger show")]


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("words", WIDE, ids=" ".join)
def test_a_wide_table_cuts_nothing_on_a_terminal_and_breaks_no_word_that_fits(
    environment: dict[str, str], words: list[str], columns: int
) -> None:
    command, more = [ATECTL, *words, "-o", "wide"], {**os.environ, **environment}
    with PtyScreen(command, more, columns=columns, rows=1000) as screen:
        assert screen.end() == 0
    assert "…" not in screen.text
    assert LONG in "".join(line.strip() for line in screen.lines)
    whole = atectl(*words, environment=environment).stdout.split()
    titles = {word for word in whole if word.isupper()}
    assert titles <= set(screen.text.split())


@pytest.mark.parametrize("columns", [100, 150])
def test_a_terminal_that_can_draw_nothing_has_its_own_width(
    environment: dict[str, str], columns: int
) -> None:
    more = {**os.environ, **environment, "TERM": "dumb"}
    command = [ATECTL, "locks", "ls", "--probe", "none"]
    with PtyScreen(command, more, columns=columns) as screen:
        assert screen.end() == 0
    lines = screen.output.decode().split("\r\n")
    assert columns - 20 < max(map(len, lines)) <= columns
    assert "\x1b" not in "".join(lines)
    assert "\r" not in "".join(lines)


def test_a_table_is_no_wider_than_the_terminal_whatever_columns_says(
    environment: dict[str, str],
) -> None:
    more = {**os.environ, **environment, "COLUMNS": "200"}
    command = [ATECTL, "locks", "ls", "--probe", "none"]
    with PtyScreen(command, more, columns=100) as screen:
        assert screen.end() == 0
    text = re.sub(r"\x1b\[[0-9;]*[a-zA-Z]", "", screen.output.decode())
    # Before a carriage return stands what was erased again.
    lines = [line.rpartition("\r")[2] for line in text.split("\r\n")]
    assert 80 < max(map(len, lines)) <= 100


def test_a_terminal_that_can_draw_nothing_says_once_what_is_waited_for(
    environment: dict[str, str],
) -> None:
    more = {**os.environ, **environment, "TERM": "dumb"}
    command = [ATECTL, "locks", "ls", "--probe", "2s"]
    with PtyScreen(command, more) as screen:
        assert screen.end() == 0
    assert screen.output.count(b"looking again in 2s") == 1
    assert b"\x1b" not in screen.output


@pytest.mark.parametrize("words", [["locks", "ls", "--probe", "none"], ["ledger", "ls"]], ids=str)
def test_a_terminal_that_tells_no_size_shows_a_table(
    environment: dict[str, str], words: list[str]
) -> None:
    command, more = [ATECTL, *words], {**os.environ, **environment}
    with PtyScreen(command, more, columns=80, tells_size=False) as screen:
        assert screen.end() == 0
    assert b"ACTOR" in screen.output or b"PRINCIPAL" in screen.output


@pytest.mark.parametrize(
    ("words", "shown"), [(["locks", "ls", "--watch"], "web"), (["ledger", "top"], "alpha")], ids=str
)
def test_a_terminal_that_tells_no_size_has_a_live_screen(
    environment: dict[str, str], words: list[str], shown: str
) -> None:
    command, more = [ATECTL, *words], {**os.environ, **environment}
    with PtyScreen(command, more, columns=80, tells_size=False) as screen:
        screen.until_shown(shown)
        screen.send("q")
        assert screen.end() == 0


def test_a_terminal_that_can_draw_nothing_has_no_live_screen(environment: dict[str, str]) -> None:
    more = {**os.environ, **environment, "TERM": "dumb"}
    with PtyScreen([ATECTL, "locks", "ls", "--watch"], more) as screen:
        assert screen.end() == 2
    assert b"--watch needs a terminal" in screen.output
    assert b"\x1b[" not in screen.output
