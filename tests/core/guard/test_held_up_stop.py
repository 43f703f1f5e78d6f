"""A stop that the parent is not told of, as it came between vfork and the new program."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from atectl.guard.child import GuardedChild
from atectl.guard.held_up_stop import is_stopped
from atectl.system.clock import boottime
from tests.support.processes import children_of, state_of
from tests.support.waiting import wait_until

STARTS_A_PROGRAM = """
import os, sys
stdin = [(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)]
os.waitpid(os.posix_spawnp("cat", ["cat"], os.environ, file_actions=stdin), 0)
sys.exit(7)
"""
"""The new process opens a pipe, and waits for a writer, before it executes `cat`."""

STARTS_ONE_IN_A_THREAD = f"""
import threading
threading.Thread(target=exec, args=('''{STARTS_A_PROGRAM}''',)).start()
"""


class Starter(NamedTuple):
    """A program in a group of its own that is between vfork and the start of another."""

    pid: int
    pipe: Path

    def let_go(self) -> int:
        """Have the new process go on towards its program; the pipe's end, to be closed."""
        return os.open(self.pipe, os.O_WRONLY)


@contextlib.contextmanager
def starting(folder: Path, program: str) -> Iterator[Starter]:
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program, str(pipe)], process_group=0
    )
    try:
        wait_until(lambda: is_in_vfork(process.pid))
        yield Starter(process.pid, pipe)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def is_in_vfork(pid: int) -> bool:
    """Whether a starter sleeps for its child: one without a child may wait for the disk."""
    return bool(children_of(pid)) and "D" in thread_states(pid)


def thread_states(pid: int) -> set[str]:
    with contextlib.suppress(OSError):
        return {state_of(int(task.name)) for task in Path(f"/proc/{pid}/task").iterdir()}
    return set()


def is_told_of(pid: int) -> bool:
    """Whether the system tells a parent that its child was stopped; it does so once."""
    told = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
    return told is not None


def test_a_process_that_runs_is_not_stopped() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert not is_stopped(process.pid)
        process.kill()


def test_a_process_that_is_gone_is_not_stopped() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
        assert not is_stopped(process.pid)


def test_a_process_that_was_stopped_is() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: is_stopped(process.pid))
        process.kill()


def test_a_process_that_only_starts_another_is_not_stopped(tmp_path: Path) -> None:
    with starting(tmp_path, STARTS_A_PROGRAM) as starter:
        assert not is_stopped(starter.pid)


def test_a_stop_is_not_complete_while_the_new_process_goes_on(tmp_path: Path) -> None:
    with starting(tmp_path, STARTS_A_PROGRAM) as starter:
        os.kill(starter.pid, signal.SIGTSTP)
        assert not is_stopped(starter.pid)


def test_a_stopped_child_is_no_stop_of_the_process_above_it(tmp_path: Path) -> None:
    with starting(tmp_path, STARTS_A_PROGRAM) as starter:
        (child,) = children_of(starter.pid)
        os.kill(child, signal.SIGSTOP)
        wait_until(lambda: state_of(child) == "T")
        assert not is_stopped(starter.pid)


@pytest.mark.parametrize(
    "program", [STARTS_A_PROGRAM, STARTS_ONE_IN_A_THREAD], ids=["alone", "in a thread"]
)
def test_a_group_stopped_between_vfork_and_the_program_is_stopped(
    tmp_path: Path, program: str
) -> None:
    with starting(tmp_path, program) as starter:
        os.killpg(starter.pid, signal.SIGTSTP)
        writer = starter.let_go()
        wait_until(lambda: [state_of(child) for child in children_of(starter.pid)] == ["T"])
        wait_until(lambda: is_stopped(starter.pid))  # its other threads stop in their own time
        assert not is_told_of(starter.pid)
        os.killpg(starter.pid, signal.SIGCONT)
        wait_until(lambda: not is_stopped(starter.pid))
        os.close(writer)


def test_a_first_thread_that_is_held_up_while_the_others_stopped_is_stopped(
    tmp_path: Path,
) -> None:
    beside = "import threading, time; threading.Thread(target=time.sleep, args=(60,)).start()\n"
    with starting(tmp_path, beside + STARTS_A_PROGRAM) as starter:
        os.killpg(starter.pid, signal.SIGTSTP)
        os.close(starter.let_go())
        wait_until(lambda: thread_states(starter.pid) == {"D", "T"})
        wait_until(lambda: is_stopped(starter.pid))
        assert not is_told_of(starter.pid)


def test_a_guarded_command_stopped_so_is_noticed_and_goes_on(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    words = [sys.executable, "-I", "-S", "-c", STARTS_A_PROGRAM, str(pipe)]
    with GuardedChild(boottime() + 60) as child:
        child.start(words, os.environ)
        wait_until(lambda: is_in_vfork(child._command))
        child.signal(signal.SIGTSTP)
        os.close(os.open(pipe, os.O_WRONLY))
        wait_until(lambda: child.poll() or child.is_stopped)
        child.resume()
        wait_until(lambda: child.poll() or child.exit_status is not None)
    assert child.exit_status == 7
