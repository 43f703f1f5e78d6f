"""`atectl batch` on a terminal: the live table below the results, and nothing left of it."""

import json
import os
import re
import signal
from pathlib import Path

import pytest

from tests.conftest import CAPSULES
from tests.support.processes import state_of
from tests.support.program import ATECTL
from tests.support.pty_screen import PtyScreen

BOUNDED = CAPSULES / "bounded.wat"


def job_file(tmp_path: Path, capsule: Path, count: int, *, at_once: int, extra: str = "") -> str:
    job = f'[[job]]\ncapsule = "{capsule}"\nmax_mem = "128MiB"\n{extra}\n'
    path = tmp_path / "jobs.toml"
    path.write_text(f"[host]\njobs = {at_once}\n{job * count}")
    return str(path)


def batch(*words: str, columns: int = 110, rows: int = 30, has_shell: bool = False) -> PtyScreen:
    environment = {**os.environ, "ATECTL_LEDGER": "none"}
    command = [ATECTL, "batch", *words]
    return PtyScreen(command, environment, columns=columns, rows=rows, has_shell=has_shell)


def test_the_table_shows_pressure_leases_and_progress_and_is_gone_at_the_end(
    tmp_path: Path,
) -> None:
    file = job_file(tmp_path, BOUNDED, 4, at_once=2, extra='args = ["x", "8"]')
    with batch(file, "--limit", "8GiB", "-o", "table") as screen:
        screen.until(lambda: "pressure" in screen.text and "running" in screen.text)
        shown = screen.text
        assert "of 8 GiB" in shown
        assert "left" in shown
        assert {"JOB", "STATE", "LINEAR", "RESIDENT"} <= set(shown.split())
        assert screen.end() == 0
        assert "pressure" not in screen.text
        assert "STATE" not in screen.text
        assert screen.text.count("exited 0") == 4
        assert "4 done, 0 failed" in screen.text


def test_what_was_decided_is_shown_as_it_is_decided(tmp_path: Path) -> None:
    file = job_file(tmp_path, BOUNDED, 6, at_once=6, extra='args = ["x", "12"]')
    with batch(file, "--limit", "256MiB", "--backpressure", "both") as screen:
        screen.until(lambda: re.search(r"ago  job \d+ .*spilled", screen.text) is not None)
        assert screen.end() == 0


LONG = "department-of-weights/measures@example.com"


def failing_job(tmp_path: Path) -> str:
    path = tmp_path / "jobs.jsonl"
    job = {"capsule": str(CAPSULES / "trap.wat"), "principal": LONG, "label": f"nightly/{LONG}"}
    path.write_text(json.dumps(job) + "\n")
    return str(path)


def test_wide_rows_cut_nothing_and_go_on_below_between_two_columns(tmp_path: Path) -> None:
    with batch(failing_job(tmp_path), "-o", "wide", "-q", columns=60) as screen:
        assert screen.end() == 1
    words = screen.text.split()
    assert {"DECISIONS", "ERROR", LONG, f"nightly/{LONG}", "unreachable", "E303:"} <= set(words)
    assert "…" not in screen.text


def test_a_tagged_line_is_broken_between_words(tmp_path: Path) -> None:
    with batch(failing_job(tmp_path), "--tag", "-q", columns=70) as screen:
        assert screen.end() == 1
    told = " ".join(screen.text.split())
    assert told == (
        f"nightly/{LONG} E303: the guest trapped: unreachable "
        "(wasm `unreachable` instruction executed)"
    )


def test_ctrl_c_takes_the_table_away_and_tells_what_was_done(tmp_path: Path) -> None:
    file = job_file(tmp_path, CAPSULES / "spin.wat", 2, at_once=2)
    with batch(file) as screen:
        screen.until_shown("running")
        screen.send("\x03")
        assert screen.end() == 130
        assert "pressure" not in screen.text
        assert "0 done, 2 interrupted" in screen.text


def test_a_second_signal_takes_the_table_away_too(tmp_path: Path) -> None:
    file = job_file(tmp_path, CAPSULES / "spin.wat", 2, at_once=2)
    with batch(file, "--grace", "60s") as screen:
        screen.until_shown("running")
        screen.process.kill(signal.SIGTERM)
        screen.until_shown("no more are started")
        screen.process.kill(signal.SIGTERM)
        assert screen.end() == 143
        assert "pressure" not in screen.text


def test_stopped_by_ctrl_z_it_takes_the_table_away_and_brings_it_back(tmp_path: Path) -> None:
    file = job_file(tmp_path, CAPSULES / "spin.wat", 2, at_once=2)
    with batch(file, has_shell=True) as screen:
        screen.until_shown("running")
        screen.send("\x1a")
        screen.until(lambda: state_of(screen.foreground) == "T")
        screen.until(lambda: "pressure" not in screen.text)
        os.killpg(screen.foreground, signal.SIGCONT)
        screen.until_shown("pressure")
        screen.send("\x03")
        assert screen.end() == 130


def test_quit_by_ctrl_backslash_it_takes_the_table_away(tmp_path: Path) -> None:
    file = job_file(tmp_path, CAPSULES / "spin.wat", 2, at_once=2)
    words = ["sh", "-c", 'ulimit -c 0; exec "$0" batch "$1"', ATECTL, str(file)]
    with PtyScreen(words, {**os.environ, "ATECTL_LEDGER": "none"}) as screen:
        screen.until_shown("pressure")
        screen.send("\x1c")
        assert screen.end() == 131
        assert "pressure" not in screen.text


def rows_of(tmp_path: Path, *capsules: str, columns: int) -> PtyScreen:
    """A batch whose jobs come in from a file, its results as rows on a terminal."""
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_text("".join(f'{{"capsule":"{CAPSULES / each}"}}\n' for each in capsules))
    command = 'exec "$0" batch - -o table < "$1"'
    environment = {**os.environ, "ATECTL_LEDGER": "none"}
    words = ["sh", "-c", command, ATECTL, str(jobs)]
    return PtyScreen(words, environment, columns=columns, rows=30)


def columns_of_stdout(screen: PtyScreen) -> int:
    """How wide the program takes its own stdout to be."""
    terminal = os.open(f"/proc/{screen.process.pid}/fd/1", os.O_RDONLY | os.O_NOCTTY)
    try:
        return os.get_terminal_size(terminal).columns
    finally:
        os.close(terminal)


def test_rows_are_as_wide_as_the_terminal_whatever_stdin_is(tmp_path: Path) -> None:
    with rows_of(tmp_path, "hello.wat", columns=150) as screen:
        assert screen.end() == 0
        assert "CPU" in screen.text
        assert "DECISIONS" in screen.text


def test_rows_follow_the_terminal_as_it_is_made_smaller(tmp_path: Path) -> None:
    with rows_of(tmp_path, "hello.wat", "spin.wat", columns=120) as screen:
        screen.until_shown("exited 0")
        screen.resize(60, 30)
        screen.until(lambda: columns_of_stdout(screen) == 60)
        screen.send("\x03")
        assert screen.end() == 130
        # No line was too long, nor pushed to the right by the ^C that the terminal echoed.
        at = next(at for at, line in enumerate(screen.lines) if "interrupted 130" in line)
        assert screen.lines[at - 1].split()[0] == "JOB"
        assert screen.lines[at + 1].startswith("1 done, 1 interrupted")


def test_a_row_says_below_it_why_its_job_failed(tmp_path: Path) -> None:
    with rows_of(tmp_path, "trap.wat", columns=80) as screen:
        assert screen.end() == 1
        (row,) = (n for n, line in enumerate(screen.lines) if "trapped 134" in line)
        assert screen.lines[row + 1].startswith("        E303: the guest trapped")


@pytest.mark.parametrize(("columns", "rows"), [(60, 12), (40, 6), (120, 50)])
def test_it_fits_terminals_of_any_size(tmp_path: Path, columns: int, rows: int) -> None:
    file = job_file(tmp_path, BOUNDED, 8, at_once=8, extra='args = ["x", "4"]')
    with batch(file, "--limit", "8GiB", "-o", "table", columns=columns, rows=rows) as screen:
        screen.until_shown("pressure")
        assert screen.end() == 0
        assert "pressure" not in screen.text
        assert "8 done" in screen.text


def test_no_table_is_drawn_where_none_is_wanted(tmp_path: Path) -> None:
    file = job_file(tmp_path, BOUNDED, 2, at_once=2, extra='args = ["x", "4"]')
    with batch(file, "--no-live", "-o", "json") as screen:
        assert screen.end() == 0
        assert b"pressure" not in screen.output.replace(b"pressure_bytes", b"")
        # A status line that was erased may stand before a result.
        written = [line.partition(b"{") for line in screen.output.splitlines()]
        results = [json.loads(brace + rest) for _, brace, rest in written if brace]
        assert [each["exit_status"] for each in results] == [0, 0]
