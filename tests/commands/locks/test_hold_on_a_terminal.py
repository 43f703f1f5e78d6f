"""`atectl locks hold` in an interactive shell: the terminal is the command's, and is given back."""

import os
import shlex
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.lock_holding import HOLD
from tests.support.pty_screen import PtyScreen
from tests.support.redis_servers import Server


@pytest.fixture
def shell(valkey: Server) -> Iterator[PtyScreen]:
    """An interactive bash, with job control and a short prompt."""
    environment = {**os.environ, "ATECTL_REDIS_URL": valkey.url, "PS1": "ready> "}
    with PtyScreen(["bash", "--norc", "--noprofile", "-i"], environment) as screen:
        screen.until_shown("ready>")
        yield screen


def type_hold(shell: PtyScreen, *words: str) -> None:
    shell.send(shlex.join([*HOLD, *words]) + "\r")


def until_prompt(shell: PtyScreen, status: int) -> None:
    """Wait until the shell asks again, and see the last exit status."""
    shell.send("echo it was $?\r")
    shell.until_shown(f"it was {status}")


def test_a_command_reads_the_terminal_and_interrupts_are_its_own(shell: PtyScreen) -> None:
    script = "trap 'echo heard; exit 3' INT; echo your name; read name; echo hello $name; sleep 60"
    type_hold(shell, "team/web", "--", "sh", "-c", script)
    shell.until(lambda: "your name" in shell.lines)
    shell.send("world\r")
    shell.until_shown("hello world")
    shell.send("\x03")
    shell.until(lambda: any(line.endswith("heard") for line in shell.lines))
    until_prompt(shell, 3)


def test_a_stopped_command_gives_the_shell_back_and_goes_on_in_the_foreground(
    shell: PtyScreen,
) -> None:
    script = "echo begun; read word; echo got $word"
    type_hold(shell, "team/web", "--", "sh", "-c", script)
    shell.until(lambda: "begun" in shell.lines)
    shell.send("\x1a")
    shell.until_shown("Stopped")
    shell.send("fg\r")
    shell.until_shown("fg")
    shell.send("something\r")
    shell.until_shown("got something")
    until_prompt(shell, 0)


def test_a_command_that_was_stopped_past_the_ttl_does_not_go_on(shell: PtyScreen) -> None:
    script = "echo begun; read word; echo went on"
    type_hold(shell, "--lock-ttl", "1s", "team/web", "--", "sh", "-c", script)
    shell.until(lambda: "begun" in shell.lines)
    shell.send("\x1a")
    shell.until_shown("Stopped")
    shell.send("sleep 1.2; fg\r")
    shell.until_shown("error[E541]")
    assert "went on" not in shell.lines
    until_prompt(shell, 125)


def test_a_shell_under_a_lock_has_jobs_of_its_own(shell: PtyScreen) -> None:
    inner = ["bash", "--norc", "--noprofile", "-i"]
    type_hold(shell, "team/web", "--", "env", "PS1=inside> ", *inner)
    shell.until(lambda: "inside>" in shell.lines)
    shell.send("sleep 60\r")
    shell.until_shown("inside> sleep 60")
    shell.send("\x1a")
    shell.until_shown("Stopped")
    shell.send("fg\r")
    shell.until(lambda: shell.lines.count("sleep 60") == 1)
    shell.send("\x03")
    shell.until_shown("^C")
    shell.send("exit 5\r")
    until_prompt(shell, 5)


def test_a_shell_under_a_lock_that_is_lost_is_ended_with_its_jobs(
    shell: PtyScreen, valkey: Server
) -> None:
    inner = ["bash", "--norc", "--noprofile", "-i"]
    type_hold(shell, "--lock-ttl", "2s", "team/web", "--", "env", "PS1=inside> ", *inner)
    shell.until(lambda: "inside>" in shell.lines)
    shell.send("sleep 3601\r")
    shell.until_shown("inside> sleep 3601")
    valkey.stop()
    shell.until_shown("error[E541]")
    until_prompt(shell, 125)
    shell.send("pgrep -cf 'sleep 360[1]'\r")
    shell.until(lambda: "0" in shell.lines)


def test_without_a_shell_above_a_stopped_command_goes_on_at_once(valkey: Server) -> None:
    environment = {**os.environ, "ATECTL_REDIS_URL": valkey.url}
    script = "echo begun; read word; echo got $word"
    with PtyScreen([*HOLD, "team/web", "--", "sh", "-c", script], environment) as screen:
        screen.until(lambda: "begun" in screen.lines)
        screen.send("\x1a")
        screen.until_shown("^Z")
        screen.send("something\r")
        screen.until_shown("got something")
        assert screen.end() == 0


def test_in_a_script_the_terminal_is_the_scripts_again_afterwards(valkey: Server) -> None:
    environment = {**os.environ, "ATECTL_REDIS_URL": valkey.url}
    hold = shlex.join([*HOLD, "team/web", "--", "sh", "-c", "read word; echo first $word"])
    script = f"{hold}; read word; echo then $word"
    with PtyScreen(["sh", "-c", script], environment) as screen:
        screen.send("one\r")
        screen.until_shown("first one")
        screen.send("two\r")
        screen.until_shown("then two")
        assert screen.end() == 0


def test_a_wait_says_that_a_lock_without_a_ttl_does_not_free_itself(
    valkey: Server, shell: PtyScreen
) -> None:
    with closing(valkey.client()) as client:
        client.set("lock:actor:team:web", "somebody")
        type_hold(shell, "--lock-wait", "60s", "team/web", "--", "echo", "it", "ran")
        shell.until_shown("waiting: team/web is held")
        shell.until_shown("it has no TTL")
        client.delete("lock:actor:team:web")
    shell.until(lambda: "it ran" in shell.lines)
    until_prompt(shell, 0)


def test_a_wait_leaves_out_what_is_left_of_a_ttl(valkey: Server, shell: PtyScreen) -> None:
    with closing(valkey.client()) as client:
        client.set("lock:actor:team:web", "somebody", px=60_000)
        type_hold(shell, "--lock-wait", "60s", "team/web", "--", "echo", "it", "ran")
        shell.until_shown("waiting: team/web is held")
        client.delete("lock:actor:team:web")
    shell.until(lambda: "it ran" in shell.lines)
    assert "TTL" not in shell.text
