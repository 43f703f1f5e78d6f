"""What signals ask of a command, and how a command receives them."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from atectl.commands.terminal.signals import (
    ENDINGS,
    Ending,
    ended_by_signals,
    ending_among,
    signal_pipe,
)
from tests.support.processes import state_of

INTERRUPTED = Ending("interrupted", 130)
TERMINATED = Ending("terminated", 143)


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    watched = (*ENDINGS, signal.SIGUSR1, signal.SIGCHLD)
    before = {number: signal.getsignal(number) for number in watched}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def test_every_way_to_end_has_its_reason_and_its_status() -> None:
    assert ENDINGS == {
        signal.SIGINT: INTERRUPTED,
        signal.SIGTERM: TERMINATED,
        signal.SIGHUP: TERMINATED,
    }


def test_ctrl_c_counts_before_a_termination() -> None:
    assert ending_among({signal.SIGTERM, signal.SIGINT, signal.SIGWINCH}) == INTERRUPTED
    assert ending_among({signal.SIGHUP}) == TERMINATED
    assert ending_among({signal.SIGWINCH, signal.SIGTSTP}) is None


def test_a_pipe_is_readable_when_a_signal_came_and_says_which() -> None:
    with signal_pipe(signal.SIGUSR1, signal.SIGTERM) as signals:
        assert signals.received() == set()
        send(signal.SIGUSR1)
        send(signal.SIGTERM)
        assert select.select([signals.reader], [], [], 10)[0]
        assert signals.received() == {signal.SIGUSR1, signal.SIGTERM}
        assert signals.received() == set()


def test_behind_a_pipe_signals_do_what_they_did_before() -> None:
    heard: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, _frame: heard.append(number))
    with signal_pipe(signal.SIGUSR1):
        send(signal.SIGUSR1)
    assert heard == []
    send(signal.SIGUSR1)
    assert heard == [signal.SIGUSR1]


def test_a_signal_that_was_ignored_stays_so_for_a_pipe() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with signal_pipe(signal.SIGHUP) as signals:
        send(signal.SIGHUP)
        assert signals.received() == set()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_pipe_tells_of_children_even_where_they_were_ignored() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with signal_pipe(signal.SIGCHLD) as signals:
        child = subprocess.run(["/bin/sh", "-c", "exit 3"], check=False)
        assert child.returncode == 3
        assert signals.received() == {signal.SIGCHLD}


def test_the_first_signal_begins_an_orderly_end() -> None:
    begun: list[Ending] = []
    with ended_by_signals(begun.append) as received:
        assert received.ending is None
        send(signal.SIGTERM)
        assert received.ending == TERMINATED
    assert begun == [TERMINATED]


def test_a_signal_that_was_ignored_ends_nothing() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ended_by_signals(lambda _: None) as received:
        send(signal.SIGHUP)
        assert received.ending is None


_PROGRAM = """
import os, resource, sys, time
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from atectl.commands.terminal.signals import ended_by_signals
class Screen:
    def suspend(self): print("suspended", flush=True)
    def resume(self): print("resumed", flush=True)
    def cover_echo(self): pass
    def leave_at_once(self): print("left", flush=True)
with ended_by_signals(lambda ending: print(ending.reason, flush=True), [Screen()][:{screens}]):
    print("ready", flush=True)
    while True:
        time.sleep(60)
"""


class Listening:
    """A program that tells what it hears of signals."""

    def __init__(self, *, screens: int = 1, has_shell: bool = True) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM.format(screens=screens)],
            stdout=subprocess.PIPE,
            text=True,
            # Of a group without a parent in the session, nobody is stopped by the terminal.
            process_group=0 if has_shell else None,
            start_new_session=not has_shell,
        )
        assert self.next() == "ready"

    def next(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@pytest.fixture
def listening(request: pytest.FixtureRequest) -> Iterator[Listening]:
    program = Listening(screens=getattr(request, "param", 1))
    with program.process:
        yield program
        program.process.kill()


def test_the_second_signal_ends_the_program_at_once_without_its_screen(
    listening: Listening,
) -> None:
    listening.process.send_signal(signal.SIGINT)
    assert listening.next() == "interrupted"
    listening.process.send_signal(signal.SIGTERM)
    assert listening.next() == "left"
    assert listening.process.wait(10) == 143


def test_quitting_ends_the_program_by_that_signal_without_its_screen(listening: Listening) -> None:
    listening.process.send_signal(signal.SIGQUIT)
    assert listening.next() == "left"
    assert listening.process.wait(10) == -signal.SIGQUIT


@pytest.mark.parametrize("listening", [0], indirect=True)
def test_without_a_screen_quitting_ends_the_program_even_where_it_handles_nothing(
    listening: Listening,
) -> None:
    listening.process.send_signal(signal.SIGQUIT)
    assert listening.next() == ""
    assert listening.process.wait(10) == -signal.SIGQUIT


def test_ctrl_z_stops_the_program_without_its_screen(listening: Listening) -> None:
    listening.process.send_signal(signal.SIGTSTP)
    assert listening.next() == "suspended"
    _, status = os.waitpid(listening.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert state_of(listening.process.pid) == "T"
    listening.process.send_signal(signal.SIGCONT)
    assert listening.next() == "resumed"


def test_ctrl_z_stops_nothing_where_no_shell_could_continue_it() -> None:
    listening = Listening(has_shell=False)
    with listening.process:
        listening.process.send_signal(signal.SIGTSTP)
        assert [listening.next(), listening.next()] == ["suspended", "resumed"]
        listening.process.send_signal(signal.SIGTERM)
        assert listening.next() == "terminated"
        listening.process.kill()


@pytest.mark.parametrize("listening", [0], indirect=True)
def test_without_a_screen_ctrl_z_does_what_it_always_does(listening: Listening) -> None:
    listening.process.send_signal(signal.SIGTSTP)
    _, status = os.waitpid(listening.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert os.WSTOPSIG(status) == signal.SIGTSTP
