"""`--quiet`: nothing of ours on stderr but errors, for every command that says more."""

import os
import re
from pathlib import Path

import pytest

from atectl import commands
from atectl.commands.app import COMMANDS
from atectl.commands.options.quiet import SAY_NOTHING
from atectl.commands.options.tree import read_tree
from tests.support.program import ATECTL, atectl
from tests.support.pty_screen import PtyScreen

FOLDER = Path(commands.__path__[0])
SAYS_MORE = re.compile(
    r"\b(?:say|warn|report_warning|tell_of_wait|status_line|count_down|telling|while_user_waits)\("
)
"""Everything by which a command says what is neither a result nor an error."""

HELLO = "fixtures/capsules/hello.wat"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_takes_it_if_it_says_more_than_results_and_errors(name: str) -> None:
    sources = "".join(path.read_text() for path in sorted((FOLDER / name).glob("*.py")))
    assert (SAYS_MORE.search(sources) is None) == (name in SAY_NOTHING)


def test_help_shows_it_for_those_commands_and_no_others() -> None:
    lines = [line for line in read_tree().walk() if not line.subcommands]
    having = {line.path for line in lines if any("--quiet" in each.names for each in line.options)}
    assert having == {line.path for line in lines if line.path[0] not in SAY_NOTHING}


@pytest.mark.parametrize("words", [("cache", "ls", "-q"), ("inspect", "--silent"), ("-q", "load")])
def test_where_it_would_mean_nothing_an_error_says_so(words: tuple[str, ...]) -> None:
    ended = atectl(*words)
    assert ended.status == 2
    assert "leave it out here" in ended.stderr


@pytest.mark.parametrize("name", ["-q", "--quiet"])
def test_notes_are_left_out(name: str, tmp_path: Path) -> None:
    home = {"XDG_STATE_HOME": str(tmp_path)}
    assert atectl("run", HELLO, environment=home).status == 0
    words = ("ledger", "history", "--principal", "nobody")
    assert "no finished leases" in atectl(*words, environment=home).stderr
    assert atectl(*words, name, environment=home) == (0, "", "")


def test_warnings_are_left_out(tmp_path: Path) -> None:
    home = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    (tmp_path / "cache").write_text("a file, where compiled capsules cannot be kept")
    loud = atectl("load", HELLO, environment=home)
    assert "warning[" in loud.stderr
    quiet = atectl("load", "-q", HELLO, environment=home)
    assert (quiet.status, quiet.stderr) == (0, "")
    assert "hello.wat" in quiet.stdout


def test_errors_are_not(tmp_path: Path) -> None:
    ended = atectl("ledger", "ls", "-q", "--ledger", tmp_path / "none.db")
    assert ended.stderr.startswith("error[E401]")


def test_on_a_terminal_nothing_is_drawn_while_one_waits(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    with PtyScreen([ATECTL, "load", HELLO], environment) as screen:
        assert screen.end() == 0
        assert b"loading" in screen.output
    with PtyScreen([ATECTL, "load", "-q", "--no-cache", HELLO], environment) as screen:
        assert screen.end() == 0
        assert b"loading" not in screen.output


def test_of_a_command_run_beside_a_lock_it_is_the_command_s_own() -> None:
    environment = {"ATECTL_REDIS_URL": "redis://127.0.0.1:1"}
    before = atectl("locks", "hold", "-q", "a/b", "--", "true", environment=environment)
    assert "error[E101]" not in before.stderr
    behind = atectl("locks", "hold", "a/b", "true", "-q", environment=environment)
    assert behind == before
