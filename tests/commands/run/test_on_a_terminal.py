"""`atectl run` on a terminal: the table below the output, and the guest undisturbed."""

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import CAPSULES
from tests.support.bombs import slow_loops
from tests.support.processes import state_of
from tests.support.program import ATECTL
from tests.support.pty_screen import PtyScreen
from tests.support.real_capsules import CPYTHON

SLOW = """
import os, time
for number in range(int(open('/t/n').read())):
    print('line', number)
    time.sleep(0.1)
while not os.path.exists('/t/enough'):
    time.sleep(0.05)
"""


pytestmark = pytest.mark.usefixtures("compiled_capsules")


def run(*words: str | Path, columns: int = 100, rows: int = 24, **environment: str) -> PtyScreen:
    return PtyScreen(
        [ATECTL, "run", *map(str, words)],
        {**os.environ, **environment},
        columns=columns,
        rows=rows,
    )


def printing(tmp_path: Path, lines: int) -> list[str]:
    """A guest that prints lines, ten a second, and ends when the file `enough` is there."""
    (tmp_path / "n").write_text(str(lines))
    return ["--dir", f"{tmp_path}::/t", str(CPYTHON), "-c", SLOW]


def test_the_table_hangs_below_the_output_and_is_gone_at_the_end(tmp_path: Path) -> None:
    with run(*printing(tmp_path, 15)) as screen:
        screen.until(lambda: "line 5" in screen.text and "PRINCIPAL" in screen.text)
        shown = screen.lines
        last = max(row for row, line in enumerate(shown) if line.startswith("line "))
        assert "PRINCIPAL" in shown[last + 2]
        assert "64 MiB" in shown[last + 3]
        assert "host pressure" in shown[last + 4]
        assert screen.cursor_row == last + 1
        (tmp_path / "enough").touch()
        assert screen.end() == 0
        assert [line for line in screen.lines if line][:15] == [f"line {i}" for i in range(15)]
        assert "PRINCIPAL" not in screen.text
        assert "exited 0" in screen.lines[15]


def test_a_terminal_that_tells_no_size_has_the_table_too() -> None:
    command = [ATECTL, "run", str(CAPSULES / "spin.wat")]
    with PtyScreen(command, dict(os.environ), columns=80, tells_size=False) as screen:
        screen.until_shown("PRINCIPAL")
        screen.send("\x03")
        assert screen.end() == 130


def test_stopped_by_ctrl_z_it_takes_the_table_away_and_brings_it_back() -> None:
    command = [ATECTL, "run", str(CAPSULES / "spin.wat")]
    with PtyScreen(command, dict(os.environ), has_shell=True) as screen:
        screen.until_shown("PRINCIPAL")
        screen.send("\x1a")
        screen.until(lambda: state_of(screen.foreground) == "T")
        screen.until(lambda: "PRINCIPAL" not in screen.text)
        os.killpg(screen.foreground, signal.SIGCONT)
        screen.until_shown("PRINCIPAL")
        screen.send("\x03")
        assert screen.end() == 130


def test_quit_by_ctrl_backslash_it_takes_the_table_away() -> None:
    command = ["sh", "-c", 'ulimit -c 0; exec "$0" "$@"', ATECTL, "run", str(CAPSULES / "spin.wat")]
    with PtyScreen(command, dict(os.environ)) as screen:
        screen.until_shown("PRINCIPAL")
        screen.send("\x1c")
        assert screen.end() == 131
        assert "PRINCIPAL" not in screen.text


def test_quit_by_ctrl_backslash_it_takes_the_line_of_its_compilation_away(tmp_path: Path) -> None:
    slow = tmp_path / "slow.wat"
    slow.write_text(slow_loops(6000, 50))
    words = ["sh", "-c", 'ulimit -c 0; exec "$0" run --no-cache "$1"', ATECTL, str(slow)]
    with PtyScreen(words, dict(os.environ)) as screen:
        screen.until_shown("compiling slow.wat")
        screen.send("\x1c")
        assert screen.end() == 131
        assert screen.text.strip() == ""


def test_output_that_scrolls_is_all_there(tmp_path: Path) -> None:
    with run(*printing(tmp_path, 30), rows=12) as screen:
        screen.until_shown("line 20")
        screen.until_shown("PRINCIPAL")
        (tmp_path / "enough").touch()
        assert screen.end() == 0
        kept = [line for line in screen.lines if line.startswith("line")]
        assert kept == [f"line {i}" for i in range(30 - len(kept), 30)]
        assert len(kept) >= 8


def test_a_resize_is_followed(tmp_path: Path) -> None:
    with run(*printing(tmp_path, 40)) as screen:
        screen.until_shown("host pressure")
        screen.resize(60, 20)
        screen.until(lambda: any(line.endswith("…") for line in screen.lines))
        os.kill(screen.process.pid, signal.SIGTERM)
        assert screen.end() == 143


def test_a_guest_that_reads_the_terminal_gets_it_undisturbed(tmp_path: Path) -> None:
    asks = f"print('hello', input('name? '))\n{SLOW}"
    (tmp_path / "n").write_text("0")
    with run("--dir", f"{tmp_path}::/t", CPYTHON, "-c", asks) as screen:
        screen.until_shown("name?")
        for _ in range(10):
            screen.read()
        assert "PRINCIPAL" not in screen.text
        screen.send("wörld\r")
        screen.until_shown("hello wörld")
        screen.until_shown("PRINCIPAL")
        (tmp_path / "enough").touch()
        assert screen.end() == 0
        assert screen.lines[:2] == ["name? wörld", "hello wörld"]


def test_an_enter_that_nobody_reads_leaves_no_trace_of_the_table(tmp_path: Path) -> None:
    with run(*printing(tmp_path, 15)) as screen:
        screen.until(lambda: "line 4" in screen.text and "PRINCIPAL" in screen.text)
        screen.send("\r")
        (tmp_path / "enough").touch()
        assert screen.end() == 0
        shown = [line for line in screen.lines if line]
        assert shown[:15] == [f"line {i}" for i in range(15)]


def test_a_pipe_behind_the_guest_gets_no_table_since_its_reader_may_use_the_terminal(
    tmp_path: Path,
) -> None:
    (tmp_path / "enough").touch()
    command = " ".join(map(shlex.quote, [ATECTL, "run", *printing(tmp_path, 8)]))
    with PtyScreen(["/bin/bash", "-c", f"{command} | cat"], dict(os.environ)) as screen:
        assert screen.end() == 0
        assert [line for line in screen.lines if line][:8] == [f"line {i}" for i in range(8)]
        assert b"PRINCIPAL" not in screen.output


def test_a_guest_sees_that_it_has_a_terminal() -> None:
    program = "import os; print([os.isatty(n) for n in (0, 1, 2)])"
    with run(CPYTHON, "-c", program) as screen:
        assert screen.end() == 0
        assert screen.lines[0] == "[True, True, True]"


def test_what_a_guest_writes_cannot_move_the_cursor_or_set_a_title() -> None:
    with run("--no-live", CAPSULES / "escapes.wat") as screen:
        assert screen.end() == 0
        assert b"\x1b]0;" not in screen.output
        assert rb"red\x1b[2J\x1b]0;owned\x07" in screen.output
        assert r"\u202e" in screen.text


def test_a_guests_colours_are_passed_on_and_end_with_their_line() -> None:
    with run("--no-live", CAPSULES / "escapes.wat") as screen:
        assert screen.end() == 0
        assert b"\x1b[31mred" in screen.output
        assert rb"reversed\xff" + b"\x1b[0m\r\n" in screen.output


def test_plain_output_has_no_colours() -> None:
    with run("--no-live", "--plain-output", CAPSULES / "escapes.wat") as screen:
        assert screen.end() == 0
        assert b"\x1b[31m" not in screen.output
        assert r"\x1b[31m" in screen.text


def test_a_progress_bar_of_a_guest_is_drawn_on_one_line(tmp_path: Path) -> None:
    bar = tmp_path / "bar.wat"
    bar.write_text(_PROGRESS)
    with run("--no-live", bar) as screen:
        assert screen.end() == 0
        assert screen.lines[0] == "[##] 99%"


_PROGRESS = r"""(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\13\00\00\00")
  (data (i32.const 16) "\r[# ] 10%\r[##] 99%\n")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""


def test_raw_output_is_passed_on_as_it_is() -> None:
    with run("--raw-output", CAPSULES / "escapes.wat") as screen:
        assert screen.end() == 0
        assert b"\x1b[31m" in screen.output


def test_without_colour_no_colours_are_set(tmp_path: Path) -> None:
    with run(*printing(tmp_path, 8), NO_COLOR="1") as screen:
        screen.until_shown("PRINCIPAL")
        (tmp_path / "enough").touch()
        screen.end()
        assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", screen.output)


def test_a_dumb_terminal_gets_no_table(tmp_path: Path) -> None:
    (tmp_path / "enough").touch()
    with run(*printing(tmp_path, 8), TERM="dumb") as screen:
        assert screen.end() == 0
        assert b"\x1b" not in screen.output


def test_interrupting_takes_the_table_away_and_tells_how_it_ended() -> None:
    with run(CAPSULES / "spin.wat") as screen:
        screen.until_shown("running")
        screen.send("\x03")
        assert screen.end() == 130
        assert "PRINCIPAL" not in screen.text
        assert "interrupted 130" in screen.text


def test_errors_are_shown_after_the_table_is_gone() -> None:
    with run("--deadline", "3s", CAPSULES / "spin.wat") as screen:
        screen.until_shown("running")
        assert screen.end() == 124
        assert "error[E302]" in screen.text
        assert "PRINCIPAL" not in screen.text


def test_unfinished_last_lines_are_finished_before_the_summary() -> None:
    with run(CPYTHON, "-c", "print('no end of line', end='')") as screen:
        assert screen.end() == 0
        assert screen.lines[0] == "no end of line"
        assert "exited 0" in screen.lines[1]


WRITES_LONG = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1000)
  (func (export "_start")
    (memory.fill (i32.const 64) (i32.const 27) (i32.const 65000000))
    (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 65000000))
    (drop (call $write (i32.const STREAM) (i32.const 0) (i32.const 1) (i32.const 16)))))"""
"""Writes escapes, so many that no terminal has taken them by the end of a short deadline."""


@pytest.mark.parametrize("stream", [1, 2])
def test_a_guest_that_is_given_up_as_it_writes_reaches_the_terminal_no_more(
    tmp_path: Path, stream: int
) -> None:
    path = tmp_path / "writes.wat"
    path.write_text(WRITES_LONG.replace("STREAM", str(stream)))
    ours, its = os.openpty()
    words = [ATECTL, "run", "--ledger", "none", "--deadline", "1s", str(path)]
    environment = {**os.environ, "TERM": "dumb"}  # which is sent no escapes
    with subprocess.Popen(words, stdin=its, stdout=its, stderr=its, env=environment) as process:
        os.close(its)
        escapes, last = 0, b""
        while data := read_on(ours):
            escapes += data.count(b"\x1b")
            last = (last + data)[-1000:]
        os.close(ours)
        assert process.wait() == 124
    assert b"error[E302]" in last
    assert escapes == 0


def read_on(terminal: int) -> bytes:
    """What comes next on a terminal; nothing once no process has it any more."""
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        return b""
