"""`ledger top` on a real pseudo-terminal, over a real ledger."""

import itertools
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from atectl.ledger_store.opening import open_for_reading, open_for_writing
from atectl.ledger_store.records import LeaseRecord
from tests.conftest import CAPSULES
from tests.support.ledger_records import MIB, just_now, lease
from tests.support.program import ATECTL
from tests.support.pty_screen import PtyScreen
from tests.support.waiting import wait_until

UP, DOWN, END, ESCAPE, TAB, ENTER = "\x1b[A", "\x1b[B", "\x1b[F", "\x1b", "\t", "\r"
ALTERNATE_ON, ALTERNATE_OFF = b"\x1b[?1049h", b"\x1b[?1049l"
CURSOR_ON, CURSOR_OFF = b"\x1b[?25h", b"\x1b[?25l"
FRAME_BEGIN, FRAME_END = b"\x1b[?2026h", b"\x1b[?2026l"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def tell(place: Path, *leases: LeaseRecord) -> None:
    with closing(open_for_writing(str(place))) as store:
        store.flush(leases)


def running(principal: str, current: int, **changes: object) -> LeaseRecord:
    memory = {"current_bytes": current, "peak_bytes": 63 * MIB}
    return lease(principal, id=principal, **{**just_now(), **memory, **changes})


@pytest.fixture
def filled(place: Path) -> Path:
    tell(
        place,
        running("alpha", 10 * MIB, cpu_s=1.0),
        running("beta", 30 * MIB, cpu_s=3.0),
        running("gamma", 20 * MIB, cpu_s=2.0),
    )
    return place


def top(place: Path, *options: str, program: tuple[str, ...] = (ATECTL,)) -> list[str]:
    words = [*program, "ledger", "top", "--ledger", str(place), "--interval", "100ms", *options]
    # A shell around it tells what `top` leaves behind, and is itself not ended by keys.
    before, after = "ulimit -c 0; trap : INT QUIT", "echo status=$?; stty -a; echo done"
    return ["/bin/sh", "-c", f"{before}; {shlex.join(words)}; {after}"]


def environment(**more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return {**inherited, "LINES": "", **more}


@pytest.fixture
def screen(filled: Path) -> Iterator[PtyScreen]:
    with PtyScreen(top(filled), environment(), columns=100, rows=30) as screen:
        screen.until_shown("q quit")
        yield screen


@pytest.fixture
def screen_of_a_shell(filled: Path) -> Iterator[PtyScreen]:
    with PtyScreen(top(filled), environment(), has_shell=True) as screen:
        screen.until_shown("q quit")
        yield screen


def order(screen: PtyScreen) -> list[str]:
    """The principals in the table of accounts, from the top; none while there is no table."""
    headers = [n for n, line in enumerate(screen.lines) if line.startswith("PRINCIPAL")]
    below = screen.lines[headers[-1] + 1 :] if headers else []
    return [line.split()[0] for line in itertools.takewhile(bool, below)]


def program_of(screen: PtyScreen) -> psutil.Process:
    *_, innermost = psutil.Process(screen.process.pid).children(recursive=True)
    return innermost


def assert_terminal_is_sane(screen: PtyScreen, status: int) -> None:
    screen.until_shown("done")
    screen.end()
    written = screen.output.decode(errors="replace")
    assert f"status={status}\r\n" in written
    modes = written[written.index("status=") :].split()
    for mode in ("icanon", "echo", "isig", "icrnl"):
        assert mode in modes or f"{mode};" in modes
    assert screen.output.count(ALTERNATE_ON) == screen.output.count(ALTERNATE_OFF) == 1
    assert screen.output.rindex(CURSOR_ON) > screen.output.rindex(CURSOR_OFF)
    assert screen.output.rindex(ALTERNATE_OFF) > screen.output.rindex(FRAME_BEGIN)
    assert "Traceback" not in written


def test_it_shows_accounts_leases_and_the_host(screen: PtyScreen) -> None:
    assert order(screen) == ["beta", "gamma", "alpha"]
    assert screen.lines[0].startswith("leases 3 running   resident ")
    assert "running leases: 3" in screen.text
    assert "q quit" in screen.lines[29]


def test_memory_grows_before_the_eyes(screen: PtyScreen, filled: Path) -> None:
    tell(filled, running("alpha", 61 * MIB))
    screen.until(lambda: order(screen) == ["alpha", "beta", "gamma"])
    assert "61 MiB" in screen.text


def test_accounts_of_a_new_run_appear(screen: PtyScreen, filled: Path) -> None:
    tell(filled, running("delta", 62 * MIB))
    screen.until(lambda: order(screen) == ["delta", "beta", "gamma", "alpha"])


def test_it_sorts_and_reverses(screen: PtyScreen) -> None:
    screen.send("n")
    screen.until(lambda: order(screen) == ["alpha", "beta", "gamma"])
    screen.send("r")
    screen.until(lambda: order(screen) == ["gamma", "beta", "alpha"])


def test_it_filters_as_is_typed_and_escape_clears(screen: PtyScreen) -> None:
    screen.send("/am")
    screen.until(lambda: order(screen) == ["gamma"])
    screen.send("\r")
    screen.until_shown("filter am")
    screen.send(ESCAPE)
    screen.until(lambda: len(order(screen)) == 3)


def test_the_leases_of_the_selected_account_are_shown(screen: PtyScreen) -> None:
    screen.send(TAB + DOWN)
    screen.until_shown("running leases of beta: 1")
    screen.send(END)
    screen.until_shown("running leases of alpha: 1")
    screen.send(UP)
    screen.until_shown("running leases of gamma: 1")


def test_what_runs_is_above_and_accounts_of_which_nothing_does_are_folded(
    screen: PtyScreen, filled: Path
) -> None:
    tell(filled, running("omega", 0, finished_at=1.0))
    screen.until_shown("accounts 3, 1 idle: i shows them")
    assert order(screen) == ["beta", "gamma", "alpha"]
    screen.send("i")
    screen.until(lambda: order(screen) == ["beta", "gamma", "alpha", "omega"])


def test_enter_shows_all_about_a_lease_and_escape_goes_back(
    screen: PtyScreen, filled: Path
) -> None:
    ended = {"finished_at": 1.0, "reason": "exited", "exit_status": 7}
    tell(filled, running("beta", 0, **ended)._replace(id="b"))
    screen.send(DOWN + ENTER)
    screen.until_shown("recent leases of beta")
    assert "lease           beta" in screen.text
    assert f"process         {os.getpid()}" in screen.text
    screen.send(ESCAPE)
    screen.until_shown("running leases: 3")


def test_a_question_mark_explains_the_keys(screen: PtyScreen) -> None:
    screen.send("?")
    screen.until_shown("end the selected lease, after asking")
    screen.send("x")
    screen.until_shown("running leases: 3")


def test_k_asks_and_any_other_key_than_y_leaves_the_lease_alone(screen: PtyScreen) -> None:
    screen.send("k")
    screen.until_shown("select a running lease first")
    screen.send(DOWN + "k")
    screen.until_shown("end it? y or n: hello.wasm, process")
    screen.send("n")
    screen.until_shown("q quit")


def test_k_ends_a_run_once_it_is_confirmed(place: Path) -> None:
    words = [ATECTL, "run", "--ledger", str(place), str(CAPSULES / "spin.wat")]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as run, ended_by_all_means(run):
        wait_until(lambda: place.exists() and unfinished(place))
        with PtyScreen(top(place), environment(), columns=100, rows=30) as screen:
            screen.until_shown("spin.wat")
            screen.send(DOWN + "k")
            screen.until_shown("end it? y or n: spin.wat, process")
            screen.send("y")
            screen.until_shown("was told to end")
        assert run.wait() == 143


@contextmanager
def ended_by_all_means(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    try:
        yield
    except BaseException:
        process.kill()
        raise


def unfinished(place: Path) -> list[LeaseRecord]:
    with closing(open_for_reading(str(place))) as store:
        return store.running()


def test_what_runs_is_shown_by_host(filled: Path) -> None:
    tell(filled, running("west", MIB, host="west", process="another-boot:1:1"))
    with PtyScreen(top(filled, "--by", "host"), environment(), columns=100, rows=30) as screen:
        screen.until_shown("running by host")
        below = screen.lines[screen.lines.index("running by host") :]
        assert [line.split()[0] for line in below[1:4]] == ["HOST", os.uname().nodename, "west"]


def test_space_holds_it_still(screen: PtyScreen, filled: Path) -> None:
    screen.send(" ")
    screen.until_shown("paused")
    tell(filled, running("delta", 62 * MIB))
    for _ in range(10):
        screen.read()
    assert "delta" not in screen.text
    screen.send(" ")
    screen.until_shown("delta")


def is_whole(screen: PtyScreen, rows: int) -> bool:
    places = {0: "leases 3 running", 1: "running leases: ", rows - 1: "q quit"}
    return all(screen.lines[place].startswith(text) for place, text in places.items())


def test_it_follows_a_resize(screen: PtyScreen) -> None:
    screen.resize(60, 12)
    screen.until(lambda: is_whole(screen, 12) and "REFUSED" not in screen.text)
    screen.resize(60, 11)
    screen.until(lambda: is_whole(screen, 11))
    screen.resize(120, 40)
    screen.until(lambda: is_whole(screen, 40) and "SINCE" in screen.text)
    assert order(screen) == ["beta", "gamma", "alpha"]


def test_each_frame_is_one_synchronized_update_of_what_changed(screen: PtyScreen) -> None:
    before = len(screen.output)
    screen.send("n")
    screen.until(lambda: order(screen) == ["alpha", "beta", "gamma"])
    screen.until(lambda: screen.output.endswith(FRAME_END))
    change = screen.output[before:]
    assert change.startswith(FRAME_BEGIN)
    assert change.count(FRAME_BEGIN) == change.count(FRAME_END)
    assert b"\x1b[2J" not in change
    assert b"quit" not in change


def test_only_what_fits_is_drawn_of_4096_accounts(place: Path) -> None:
    tell(place, *(running(f"p{i:04}", 0, finished_at=1.0 + i) for i in range(4096)))
    with PtyScreen(top(place), environment(), columns=80, rows=24) as screen:
        screen.until_shown("accounts 1-18 of 4096")
        screen.send(END)
        screen.until_shown("accounts 4079-4096 of 4096")
        assert len(screen.output) < 24 * 80 * 8


def test_q_leaves_the_terminal_as_it_was(screen: PtyScreen) -> None:
    screen.send("q")
    assert_terminal_is_sane(screen, 0)


def test_ctrl_c_leaves_the_terminal_as_it_was(screen: PtyScreen) -> None:
    screen.send("\x03")
    assert_terminal_is_sane(screen, 130)


def test_ctrl_backslash_leaves_the_terminal_as_it_was(screen: PtyScreen) -> None:
    screen.send("\x1c")
    assert_terminal_is_sane(screen, 131)


def test_quitting_ends_it_also_on_a_terminal_that_is_stopped(screen: PtyScreen) -> None:
    program = program_of(screen)
    screen.send("\x13")  # Ctrl-S
    program.send_signal(signal.SIGQUIT)
    wait_until(lambda: not program.is_running())
    assert termios.tcgetattr(screen.process.child_fd)[3] & termios.ICANON


def test_a_termination_leaves_the_terminal_as_it_was(screen: PtyScreen) -> None:
    program_of(screen).terminate()
    assert_terminal_is_sane(screen, 143)


@pytest.mark.parametrize("failure", ["1 / 0", "open('/nowhere')"])
def test_an_error_of_ours_leaves_the_terminal_as_it_was(filled: Path, failure: str) -> None:
    # The interpreter is told to fail at the third look: no way from outside leads there.
    code = (
        "from atectl.commands import main\n"
        "from atectl.ledger_store import overview\n"
        "take, left = overview.take_overview, [3]\n"
        "def failing(*arguments):\n"
        "    left[0] -= 1\n"
        f"    return take(*arguments) if left[0] else {failure}\n"
        "overview.take_overview = failing; main.main()"
    )
    script = filled.parent / "failing.py"
    script.write_text(code)
    words = top(filled, program=(sys.executable, str(script)))
    with PtyScreen(words, environment()) as screen:
        assert_terminal_is_sane(screen, 125)
        assert b"error[E9" in screen.output


def test_ctrl_z_gives_the_terminal_back_and_it_goes_on_afterwards(
    screen_of_a_shell: PtyScreen,
) -> None:
    screen = screen_of_a_shell
    program = program_of(screen)
    screen.send("\x1a")
    screen.until(lambda: screen.output.count(ALTERNATE_OFF) == 1)
    screen.until(lambda: program.status() == psutil.STATUS_STOPPED)
    os.killpg(screen.foreground, signal.SIGCONT)
    screen.until(lambda: screen.output.count(ALTERNATE_ON) == 2)
    screen.until(lambda: order(screen) == ["beta", "gamma", "alpha"])
    screen.send("q")
    screen.until_shown("status=0")


def test_quitting_while_it_is_stopped_writes_nothing_over_the_shell(
    screen_of_a_shell: PtyScreen,
) -> None:
    screen = screen_of_a_shell
    program = program_of(screen)
    screen.send("\x1a")
    screen.until(lambda: program.status() == psutil.STATUS_STOPPED)
    screen.until(lambda: screen.output.count(ALTERNATE_OFF) == 1)
    program.send_signal(signal.SIGQUIT)
    os.killpg(screen.foreground, signal.SIGCONT)
    assert_terminal_is_sane(screen, 131)


def test_stopped_unasked_it_takes_the_terminal_again_and_draws_all(screen: PtyScreen) -> None:
    program = program_of(screen)
    program.suspend()
    modes = termios.tcgetattr(screen.process.child_fd)
    modes[3] |= termios.ICANON  # as a shell sets it for its own prompt
    termios.tcsetattr(screen.process.child_fd, termios.TCSANOW, modes)
    program.resume()
    screen.until(lambda: screen.output.count(CURSOR_OFF) == 2)
    screen.until(lambda: order(screen) == ["beta", "gamma", "alpha"])
    screen.send("q")
    assert_terminal_is_sane(screen, 0)


def test_a_terminal_that_goes_away_ends_it(screen: PtyScreen) -> None:
    program = program_of(screen)
    screen.process.close(force=False)
    assert program.wait(timeout=10) is None or not program.is_running()


def test_it_ends_by_itself_after_as_many_looks_as_asked(filled: Path) -> None:
    with PtyScreen(top(filled, "-n", "3"), environment()) as screen:
        assert_terminal_is_sane(screen, 0)


def test_a_ledger_that_fails_is_reported_and_tried_again(screen: PtyScreen, filled: Path) -> None:
    aside = filled.with_name("aside.db")
    with closing(sqlite3.connect(filled)) as ledger:
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    filled.rename(aside)
    screen.until_shown("trying again")
    assert order(screen) == ["beta", "gamma", "alpha"]
    aside.rename(filled)
    screen.until(lambda: "trying again" not in screen.text)
    screen.send("q")
    assert_terminal_is_sane(screen, 0)


@pytest.mark.parametrize(("variables", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_is_respected(filled: Path, variables: dict[str, str], is_coloured: bool) -> None:
    with PtyScreen(top(filled), environment(**variables)) as screen:
        screen.until_shown("q quit")
        backgrounds = {cell.background for row in screen.cells for cell in row}
        assert (len(backgrounds) > 1) == is_coloured


@pytest.mark.parametrize("words", [["--once"], []])
def test_a_snapshot_on_a_terminal_that_cannot_draw_or_when_asked(
    filled: Path, words: list[str]
) -> None:
    more = {} if words else {"TERM": "dumb"}
    with PtyScreen(top(filled, *words), environment(**more)) as screen:
        screen.until_shown("done")
        assert b"\x1b" not in screen.output
        assert b"gamma" in screen.output


@pytest.fixture
def shell(filled: Path) -> Iterator[PtyScreen]:
    """An interactive bash, in which `$TOP` watches the ledger."""
    watching = environment(PS1="ready> ", TOP=f"{ATECTL} ledger top --ledger {filled}")
    with PtyScreen(["bash", "--norc", "--noprofile", "-i"], watching) as shell:
        shell.until_shown("ready>")
        yield shell


def test_in_the_background_it_is_stopped_and_is_there_once_it_is_in_front(
    shell: PtyScreen,
) -> None:
    shell.send("$TOP &\r")
    shell.until(lambda: "stopped" in states_below(shell))
    assert ALTERNATE_ON not in shell.output
    shell.send("fg\r")
    shell.until_shown("q quit")
    shell.send("q")
    shell.until(lambda: states_below(shell) == [])
    shell.send("stty -a | grep -o -e '-*icanon'\r")
    shell.until(lambda: "icanon" in shell.lines)


@pytest.mark.parametrize("how", ["it was put there", "it was stopped"])
def test_in_the_background_a_signal_ends_it(shell: PtyScreen, how: str) -> None:
    if how == "it was put there":
        shell.send("$TOP &\r")
    else:
        shell.send("$TOP\r")
        shell.until_shown("q quit")
        shell.send("\x1a")
    shell.until(lambda: "stopped" in states_below(shell))
    shell.send("kill %1\r")
    shell.until(lambda: states_below(shell) == [])
    shell.send("\r")
    shell.until_shown("Exit 143")


def states_below(screen: PtyScreen) -> list[str]:
    return [each.status() for each in psutil.Process(screen.process.pid).children(recursive=True)]
