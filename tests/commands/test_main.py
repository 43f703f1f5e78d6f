"""The program around its commands: streams that are closed, full or gone, and errors of its own."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from atectl.commands import main
from tests.conftest import CAPSULES
from tests.support.program import ATECTL, atectl
from tests.support.schemas import require_valid

HELLO = shlex.quote(str(CAPSULES / "hello.wat"))


def shell(script: str) -> "subprocess.CompletedProcess[str]":
    """Run a script to which `atectl` is the installed one."""
    environment = {**os.environ, "PATH": f"{Path(ATECTL).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", [f"run {HELLO}", "ledger ls", "--version"])
def test_a_closed_stream_is_no_failure(command: str, closed: str) -> None:
    ended = shell(f"atectl {command} {closed}")
    assert ended.returncode == 0
    assert "error" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_guests_output_never_lands_in_the_ledger_for_want_of_a_stdout(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    shell(f"atectl run --ledger {shlex.quote(str(ledger))} {HELLO} >&-")
    assert b"hello from a capsule" not in ledger.read_bytes()
    assert "hello.wat" in atectl("ledger", "ls", "--ledger", ledger).stdout


@pytest.mark.parametrize("command", ["ledger ls -o json", "explain", "--version"])
def test_a_full_disk_behind_stdout_is_one_error(command: str) -> None:
    ended = shell(f"atectl {command} > /dev/full")
    assert ended.returncode == 125
    assert ended.stderr.count("E605") == 1
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["explain", "explain -o json", "ledger ls"])
def test_a_reader_that_is_gone_is_no_error(command: str) -> None:
    ended = shell(f"atectl {command} | true; echo ${{PIPESTATUS[0]}}")
    assert ended.stdout.strip() in ("0", "141")
    assert "error" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_terminal_without_utf_8_gets_what_it_can_show() -> None:
    atectl("run", CAPSULES / "hello.wat")
    ended = atectl("ledger", "ls", environment={"PYTHONIOENCODING": "ascii"})
    assert ended.status == 0
    assert "GiB?s" in ended.stdout


def test_no_command_is_answered_with_the_help() -> None:
    ended = atectl()
    assert ended.status == 2
    assert "Commands" in ended.stdout + ended.stderr
    assert "error[" not in ended.stderr


def test_a_misspelt_command_is_answered_with_the_nearest() -> None:
    ended = atectl("lgder")
    assert ended.status == 2
    assert "did you mean ledger?" in ended.stderr


def test_the_module_is_the_program_too() -> None:
    python = Path(ATECTL).parent / "python"
    ended = subprocess.run([python, "-m", "atectl", "--version"], capture_output=True, text=True)
    assert ended.stdout.startswith("atectl ")


def test_a_bug_is_reported_as_one_and_not_as_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(arguments: list[str]) -> int:
        raise LookupError("of ours")

    monkeypatch.setattr(main, "_choose", broken)
    assert main.dispatch(["anything"]) == 125
    assert "error[E901]: LookupError: of ours" in capsys.readouterr().err


def test_a_bugs_traceback_is_let_through_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(arguments: list[str]) -> int:
        raise LookupError("of ours")

    monkeypatch.setattr(main, "_choose", broken)
    monkeypatch.setenv("ATECTL_DEBUG", "1")
    with pytest.raises(LookupError):
        main.dispatch(["anything"])


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        (("ledger", "show", "nobody", "-o", "json"), "E405", 1),
        (("ledger", "ls", "-ojson", "--nope"), "E101", 2),
        (("budget", "check", "/no/such.toml", "--output=json"), "E117", 2),
        (("explain", "E999", "--output", "json"), "E110", 2),
        (("nope", "-o", "json"), "E101", 2),
    ],
)
def test_an_error_is_a_line_of_json_where_results_are_json(
    words: tuple[str, ...], code: str, status: int
) -> None:
    ended = atectl(*words)
    assert (ended.status, ended.stdout) == (status, "")
    [line] = ended.stderr.splitlines()
    told = json.loads(line)
    assert (told["severity"], told["code"], told["exit_status"]) == ("error", code, status)
    require_valid("error", told)


def test_a_warning_is_a_line_of_json_too(tmp_path: Path) -> None:
    job = json.dumps({"capsule": str(CAPSULES / "hello.wat")}).encode()
    words = ("batch", "-", "-o", "json", "--ledger", tmp_path / "no" / "ledger.db")
    ended = atectl(*words, stdin=job)
    told = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
    assert [(each["severity"], each["code"]) for each in told] == [("warning", "E401")]
    require_valid("error", told[0])


@pytest.mark.parametrize(
    "words",
    [
        ("ledger", "show", "nobody"),
        ("ledger", "show", "--", "-o", "json"),
        ("run", "nosuch.wasm", "-o", "json"),
        ("locks", "hold", "demo/web", "no-such-command", "-o", "json"),
    ],
)
def test_an_error_is_text_where_nobody_asks_for_json(words: tuple[str, ...]) -> None:
    assert atectl(*words).stderr.startswith("error[E")
