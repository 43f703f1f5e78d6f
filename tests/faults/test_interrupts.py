"""Ctrl-C ends a command whatever that does at the moment: once, with 130, and without a word."""

import os
import subprocess
import sys

import pytest

from atectl.errors import INTERRUPTED_STATUS
from tests.conftest import CAPSULES
from tests.support.interrupted import ROOT

SPIN = str(CAPSULES / "spin.wat")

COMMANDS = {
    "run": ("run", SPIN),
    "run, compiling": ("run", "--no-cache", SPIN),
    "batch": ("batch", "-"),
    "load": ("load", "--no-cache", SPIN),
    "ledger ls": ("ledger", "ls"),
    "doctor": ("doctor",),
}


def interrupted(place: str, number: int, *words: str) -> subprocess.CompletedProcess[str]:
    module = ("-m", "tests.support.interrupted")
    return subprocess.run(
        [sys.executable, *module, place, str(number), *words],
        cwd=ROOT, input=f'{{"capsule": "{SPIN}"}}\n', capture_output=True, text=True, timeout=100,
        env={**os.environ, "ATECTL_LEDGER": "none"} if words[0] != "ledger" else None,
    )  # fmt: skip


@pytest.mark.parametrize("number", [1, 5, 20, 200, 1500, 4000, 7000, 10_000])
@pytest.mark.parametrize("command", COMMANDS)
def test_it_ends_wherever_it_is(command: str, number: int) -> None:
    ended = interrupted("lines", number, *COMMANDS[command])
    assert (ended.returncode, ended.stdout) == (INTERRUPTED_STATUS, "")
    assert not any(word in ended.stderr for word in ("Traceback", "error", "Exception"))


@pytest.mark.parametrize("number", [1, 2, 4, 20, 60])
@pytest.mark.parametrize("command", COMMANDS)
def test_it_ends_though_python_cannot_pass_the_interrupt_on(command: str, number: int) -> None:
    ended = interrupted("imports", number, *COMMANDS[command])
    assert (ended.returncode, ended.stdout) == (INTERRUPTED_STATUS, "")
    assert ended.stderr == ""
