"""The table below a guest's output on a real terminal, in trouble that no table of ours makes."""

import os
import signal
import sys
from pathlib import Path

from tests.support.pty_screen import PtyScreen
from tests.support.waiting import wait_until

_PROGRAM = """
import itertools, os, pathlib, time
from atectl.commands.terminal.guest import GuestTerminal, live_table
from atectl.commands.terminal.signals import ended_by_signals
looks = 0
def look():
    global looks
    looks += 1
    if looks == {fails_at}:
        raise ZeroDivisionError("no such\\x1b[2J figure")
    return looks
def reduce(state, event):
    return event if isinstance(event, int) else state
live = live_table(0, look, reduce, lambda state: f"look {{state}}")
screen = GuestTerminal((1, 2), live, "all")
with ended_by_signals(lambda ending: pathlib.Path("asked-to-end").touch(), [screen]):
    screen.start()
    for number in itertools.count():
        os.write(1, b"line %d\\n" % number)
        if pathlib.Path("enough").exists():
            break
        time.sleep(0.05)
    screen.stop()
print("ended")
"""


def table(folder: Path, *, fails_at: int = 0) -> PtyScreen:
    """A guest that writes lines until it is `enough`, and a table that counts its looks."""
    script = folder / "guest.py"
    script.write_text(_PROGRAM.format(fails_at=fails_at))
    command = 'cd "$1" && exec "$0" "$2"'
    return PtyScreen(["sh", "-c", command, sys.executable, str(folder), str(script)], os.environ)


def test_a_table_that_fails_is_named_in_its_place_and_costs_the_guest_nothing(
    tmp_path: Path,
) -> None:
    with table(tmp_path, fails_at=2) as screen:
        screen.until_shown("no table: ZeroDivisionError: no such\\x1b[2J figure")
        seen = screen.output.count(b"line ")
        screen.until(lambda: screen.output.count(b"line ") > seen + 3)
        (tmp_path / "enough").touch()
        assert screen.end() == 0
        assert "no table" not in screen.text
        assert "ended" in screen.text


def test_a_second_signal_ends_it_at_once_on_a_terminal_that_is_stopped(tmp_path: Path) -> None:
    with table(tmp_path) as screen:
        screen.until_shown("look ")
        screen.send("\x13")  # Ctrl-S
        screen.process.kill(signal.SIGTERM)
        wait_until((tmp_path / "asked-to-end").exists)
        screen.process.kill(signal.SIGTERM)
        wait_until(lambda: not screen.process.isalive())
        assert screen.process.exitstatus == 143


def test_the_table_of_a_job_in_the_background_is_not_there_until_it_is_in_front(
    tmp_path: Path,
) -> None:
    script = tmp_path / "guest.py"
    script.write_text(_PROGRAM.format(fails_at=0))
    environment = {**os.environ, "PS1": "ready> ", "GUEST": f"{sys.executable} {script}"}
    with PtyScreen(["bash", "--norc", "--noprofile", "-i"], environment) as shell:
        shell.until_shown("ready>")
        shell.send(f"cd {tmp_path}; $GUEST &\r")
        shell.until_shown("line 20")
        assert b"look " not in shell.output
        shell.send("fg\r")
        shell.until_shown("look ")
        (tmp_path / "enough").touch()
        shell.until_shown("ended")
