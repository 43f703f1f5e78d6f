"""`atectl locks` on a real pseudo-terminal, over a real Valkey."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.support.lock_examples import actor_json, token
from tests.support.program import ATECTL
from tests.support.pty_screen import PtyScreen
from tests.support.redis_gate import RedisGate
from tests.support.redis_servers import Server

KEY = "lock:actor:demo:web"
SHORT = ("--lock-ttl", "3s")
"""The TTL that locks are judged by: two looks are 1.1 s apart then. They live much longer."""

LIFE_MS, LONGER_MS = 600_000, 900_000


@pytest.fixture
def client(valkey: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("ATECTL_REDIS_URL", valkey.url)
    with closing(valkey.client()) as client:
        yield client


def locks(*words: str, columns: int = 120, rows: int = 24) -> PtyScreen:
    return PtyScreen([ATECTL, "locks", *words], dict(os.environ), columns=columns, rows=rows)


def verdict_of(screen: PtyScreen, actor: str) -> str:
    [line] = [line for line in screen.lines if line.startswith(actor)]
    return line.split()[2]


def test_ls_draws_at_once_and_again_with_the_verdicts(client: Any) -> None:
    client.set(KEY, token(1), px=LIFE_MS)
    with locks("ls", "--lock-ttl", "9s") as screen:
        screen.until_shown("looking again in ")
        assert verdict_of(screen, "web") == "held"
        client.pexpire(KEY, LONGER_MS)
        screen.until(lambda: "renewing" in screen.text)
        assert screen.end() == 0
        assert verdict_of(screen, "web") == "renewing"
        assert "looking again" not in screen.text
        assert screen.text.count("ACTOR IS") == 1


@pytest.mark.parametrize("output", ["table", "wide"])
def test_ls_on_a_narrow_terminal_leaves_nothing_of_the_first_table(
    client: Any, output: str
) -> None:
    client.set(KEY, token(1), px=LIFE_MS)
    with locks("ls", *SHORT, "-o", output, columns=60) as screen:
        screen.until_shown("looking again in ")
        assert screen.end() == 0
        assert screen.text.count("ACTOR IS") == 1


def test_ls_that_is_higher_than_the_terminal_draws_a_second_table(client: Any) -> None:
    for number in range(12):
        client.set(f"lock:actor:demo:web{number}", token(number), px=LIFE_MS)
    with locks("ls", *SHORT, rows=8) as screen:
        assert screen.end() == 0
        assert screen.output.count(b"ACTOR IS") == 2


def test_ctrl_c_during_the_probe_leaves_the_first_table(client: Any) -> None:
    client.set(KEY, token(1), px=30_000)
    with locks("ls") as screen:
        screen.until_shown("looking again in 11s")
        screen.send("\x03")
        assert screen.end() == 130
        assert verdict_of(screen, "web") == "held"
        assert "looking again" not in screen.text
        assert "Traceback" not in screen.text


def test_ls_without_a_probe_looks_once(client: Any) -> None:
    client.set(KEY, token(1), px=30_000)
    with locks("ls", "--probe", "none") as screen:
        assert screen.end() == 0
        assert b"looking" not in screen.output


def test_watch_judges_as_it_goes_on_and_ends_with_q(valkey: Server, client: Any) -> None:
    client.set(KEY, token(1), px=LIFE_MS)
    client.set("actor:demo:crawler", actor_json("PAUSING"))
    with locks("ls", "--watch", "--lock-ttl", "3s") as screen:
        # What is drawn may be replaced before it is looked at here: so all output counts.
        screen.until(lambda: b"2 listed: 1 held, 1 stranded" in screen.output)
        client.pexpire(KEY, LONGER_MS)
        screen.until(lambda: b"expiring" in screen.output.partition(b"renewing")[2])
        client.set("lock:actor:demo:late", token(2), px=LIFE_MS)
        screen.until_shown("late")
        valkey.kill()
        screen.until_shown("s ago; trying again: ")
        assert "late" in screen.text
        assert screen.lines[0].startswith("as of ")
        valkey.start()
        screen.until_shown("0 listed")
        screen.send("q")
        assert screen.end() == 0


def test_watch_obeys_keys_while_the_server_stands_still(valkey: Server, client: Any) -> None:
    client.set(KEY, token(1), px=30_000)
    with locks("ls", "--watch") as screen:
        screen.until_shown("1 listed")
        valkey.stop()
        screen.send("v")
        screen.send("q")
        assert screen.end() == 0
        assert screen.output.endswith(b"\x1b[?1049l")


def test_watch_ends_by_ctrl_c(client: Any) -> None:
    client.set(KEY, token(1), px=30_000)
    with locks("ls", "--watch") as screen:
        screen.until_shown("1 listed")
        screen.send("\x03")
        assert screen.end() == 130


@contextmanager
def asked(client: Any) -> Iterator[PtyScreen]:
    """A release that asks what to do with a lock that nobody renews."""
    client.set(KEY, token(1), px=LIFE_MS)
    while True:
        with locks("release", "demo/web", *SHORT) as screen:
            screen.until(lambda: "It frees itself in" in screen.text or "try: " in screen.text)
            if "try: " not in screen.text:
                yield screen
                return
            # Answers that come late leave it open whether the holder is dead: ask again.
            assert "watched for less than one renewal" in " ".join(screen.lines)


@pytest.mark.parametrize(
    ("answer", "status", "is_left", "told"),
    [
        ("release", 0, False, "released lock:actor:demo:web"),
        ("leave", 1, True, "nothing was released"),
        ("yes", 1, True, "nothing was released"),
    ],
)
def test_release_does_what_the_answer_says(
    client: Any, answer: str, status: int, is_left: bool, told: str
) -> None:
    with asked(client) as screen:
        screen.send(f"{answer}\r")
        assert screen.end() == status
        assert told in screen.text
    assert bool(client.exists(KEY)) == is_left


def test_release_offers_to_wait_first(client: Any) -> None:
    with asked(client) as screen:
        screen.send("\r")
        screen.until_shown("waiting for demo/web: free in ")
        client.delete(KEY)
        assert screen.end() == 0
        assert "demo/web is free" in screen.text
        assert "waiting for" not in screen.text


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1)])
def test_release_of_a_lock_that_never_expires_asks(client: Any, answer: str, status: int) -> None:
    client.set(KEY, token(1))
    with locks("release", "demo/web", "--probe", "none") as screen:
        screen.until_shown("Release demo/web?")
        screen.send(f"{answer}\r")
        assert screen.end() == status
    assert bool(client.exists(KEY)) == bool(status)


@pytest.mark.parametrize(("answer", "status"), [("demo/web", 0), ("web", 1)])
def test_release_of_a_living_holder_wants_the_name_typed(
    valkey: Server, client: Any, answer: str, status: int
) -> None:
    client.set(KEY, token(1), px=LIFE_MS)
    with (
        RedisGate(valkey, {2: lambda: client.pexpire(KEY, LONGER_MS)}) as gate,
        locks("release", "demo/web", "--force", *SHORT, "--redis", gate.url) as screen,
    ):
        screen.until_shown("Type demo/web to release it anyway")
        screen.send(f"{answer}\r")
        assert screen.end() == status
    assert bool(client.exists(KEY)) == bool(status)


def test_a_lock_that_changes_hands_while_the_question_stands_is_left(client: Any) -> None:
    with asked(client) as screen:
        client.set(KEY, token(2), px=LIFE_MS)
        screen.send("release\r")
        assert screen.end() == 1
        assert "error[E522]" in screen.text
    assert client.get(KEY) == token(2).encode()


def test_a_lock_that_is_renewed_while_the_question_stands_is_left(client: Any) -> None:
    with asked(client) as screen:
        client.pexpire(KEY, LONGER_MS)
        screen.send("release\r")
        assert screen.end() == 1
        assert "was renewed just now" in screen.text
    assert client.exists(KEY)


def test_ctrl_c_at_the_question_releases_nothing(client: Any) -> None:
    with asked(client) as screen:
        screen.send("\x03")
        assert screen.end() == 130
    assert client.exists(KEY)
