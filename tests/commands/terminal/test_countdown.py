"""The line that says what is waited for."""

import os

from tests.support.lock_examples import token
from tests.support.program import ATECTL
from tests.support.pty_screen import PtyScreen
from tests.support.redis_servers import Server


def test_nothing_is_left_behind_by_one_that_is_interrupted_on_a_narrow_terminal(
    valkey: Server,
) -> None:
    valkey.client().set("lock:actor:demo:web", token(1), px=600_000)
    environment = {**os.environ, "ATECTL_REDIS_URL": valkey.url}
    with PtyScreen([ATECTL, "locks", "ls", "--probe", "60s"], environment, columns=40) as screen:
        screen.until_shown("looking again in 60s; Ctrl-C")
        screen.send("\x03")
        screen.end()
        assert "looking again" not in screen.text


def test_a_line_longer_than_the_terminal_leaves_nothing_behind(valkey: Server) -> None:
    valkey.client().set("lock:actor:demo:web", token(1), px=600_000)
    environment = {**os.environ, "ATECTL_REDIS_URL": valkey.url}
    command = [ATECTL, "locks", "ls", "--probe", "2s"]
    with PtyScreen(command, environment, columns=40) as screen:
        screen.until_shown("looking again in 2s; Ctrl-C leaves i…")
        assert screen.end() == 0
        assert "looking again" not in screen.text
        assert screen.text.count("VERDICT") == 1


def test_nothing_is_shown_of_what_a_job_in_the_background_waits_for(valkey: Server) -> None:
    valkey.client().set("lock:actor:demo:web", token(1), px=600_000)
    environment = {**os.environ, "ATECTL_REDIS_URL": valkey.url, "PS1": "ready> "}
    with PtyScreen(["bash", "--norc", "--noprofile", "-i"], environment) as shell:
        shell.until_shown("ready>")
        shell.send(f"{ATECTL} locks ls --probe 60s &\r")
        shell.until_shown("1 listed")
        shell.send("fg\r")
        shell.until_shown("looking again in")
        before, _, _ = shell.output.partition(b"looking again in")
        assert b"fg\r" in before
