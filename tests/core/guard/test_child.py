"""A guarded command: its group ends with it, in time, whatever becomes of the process above it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from atectl.guard.child import GuardedChild
from atectl.guard.errors import HeldCommandNotExecutable, HeldCommandNotFound
from atectl.guard.guard import NOW, descendants
from atectl.system.clock import boottime
from tests.support.processes import is_alive, pid_in, state_of
from tests.support.waiting import wait_until

LONG_S = 600.0


@pytest.fixture
def child() -> Iterator[GuardedChild]:
    with GuardedChild(boottime() + LONG_S) as child:
        yield child


def run(child: GuardedChild, *words: str) -> None:
    child.start(words, os.environ)


def until_ended(child: GuardedChild) -> int:
    wait_until(lambda: has_ended(child))
    assert child.exit_status is not None
    return child.exit_status


def has_ended(child: GuardedChild) -> bool:
    child.poll()
    return child.exit_status is not None


class TestRunning:
    def test_its_exit_status_is_its_own(self, child: GuardedChild) -> None:
        run(child, "sh", "-c", "exit 7")
        assert until_ended(child) == 7

    def test_a_signal_that_ends_it_is_128_and_its_number(self, child: GuardedChild) -> None:
        run(child, "sh", "-c", "kill -USR1 $$")
        assert until_ended(child) == 128 + signal.SIGUSR1

    def test_a_command_that_is_not_there_is_said_so(self, child: GuardedChild) -> None:
        with pytest.raises(HeldCommandNotFound, match="no-such-command"):
            run(child, "no-such-command")

    def test_a_file_that_cannot_be_executed_is_said_so(self, child: GuardedChild) -> None:
        with pytest.raises(HeldCommandNotExecutable, match="/etc/hostname"):
            run(child, "/etc/hostname")

    def test_a_word_that_no_program_could_be_given_is_said_so(self, child: GuardedChild) -> None:
        with pytest.raises(HeldCommandNotExecutable):
            run(child, "echo", "a\0b")

    def test_it_hears_of_a_reader_that_left_as_other_programs_do(
        self, child: GuardedChild, tmp_path: Path
    ) -> None:
        status = tmp_path / "status"
        run(child, "sh", "-c", f"grep -E '^Sig(Blk|Ign)' /proc/self/status > {status}")
        until_ended(child)
        blocked, ignored = (int(line.split()[1], 16) for line in status.read_text().splitlines())
        assert blocked == 0
        assert not ignored & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)

    def test_it_has_no_hold_of_what_tells_the_guard(
        self, child: GuardedChild, tmp_path: Path
    ) -> None:
        listing = tmp_path / "listing"
        run(child, "sh", "-c", f"ls -l /proc/$$/fd > {listing}")
        until_ended(child)
        assert str(Path(f"/proc/self/fd/{child._writer}").readlink()) not in listing.read_text()

    def test_it_is_in_a_group_that_the_guard_leads(self, child: GuardedChild) -> None:
        run(child, "sleep", "60")
        assert child.group != os.getpgrp()
        assert os.getpgid(child._command) == os.getpgid(child._guard) == child._guard

    def test_that_it_was_stopped_is_noticed(self, child: GuardedChild) -> None:
        run(child, "sleep", "60")
        child.signal(signal.SIGSTOP)
        wait_until(lambda: child.poll() or child.is_stopped)
        child.resume()
        child.signal(signal.SIGTERM)
        assert until_ended(child) == 128 + signal.SIGTERM


class TestEnding:
    def test_signals_go_to_the_whole_group(self, child: GuardedChild, tmp_path: Path) -> None:
        run(child, "sh", "-c", f"sleep 60 & echo $! > {tmp_path / 'pid'}; wait")
        grandchild = pid_in(tmp_path)
        child.signal(signal.SIGTERM)
        wait_until(lambda: not is_alive(grandchild))
        assert until_ended(child) == 128 + signal.SIGTERM

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM])
    def test_the_guard_outlives_what_is_sent_to_the_group(
        self, child: GuardedChild, number: signal.Signals
    ) -> None:
        child.signal(number)
        run(child, "sleep", "60")
        child.signal(number)
        until_ended(child)
        child.poll()
        assert not child.guard_is_gone

    def test_closing_kills_what_the_command_left_behind(self, tmp_path: Path) -> None:
        with GuardedChild(boottime() + LONG_S) as child:
            run(child, "sh", "-c", f"sleep 60 & echo $! > {tmp_path / 'pid'}")
            assert until_ended(child) == 0
            grandchild = pid_in(tmp_path)
            assert is_alive(grandchild)
        assert not is_alive(grandchild)

    def test_closing_kills_a_command_that_ignores_to_be_terminated(self, tmp_path: Path) -> None:
        deaf = tmp_path / "deaf"
        with GuardedChild(boottime() + LONG_S) as child:
            run(child, "sh", "-c", f"trap '' TERM; : > {deaf}; while :; do sleep 0.01; done")
            wait_until(deaf.exists)
            child.signal(signal.SIGTERM)
        assert child.exit_status == 128 + signal.SIGKILL

    def test_closing_twice_is_closing_once(self) -> None:
        child = GuardedChild(boottime() + LONG_S)
        child.close()
        child.close()

    def test_a_descendant_in_a_group_of_its_own_is_reached_too(
        self, child: GuardedChild, tmp_path: Path
    ) -> None:
        run(child, "sh", "-c", f"setsid sh -c 'echo $$ > {tmp_path / 'pid'}; exec sleep 60' & wait")
        stray = pid_in(tmp_path)
        assert os.getpgid(stray) != child.group
        assert stray in [process.pid for process in descendants(child.group)]
        child.signal(signal.SIGKILL)
        wait_until(lambda: not is_alive(stray))

    def test_that_the_guard_was_killed_is_noticed(self, child: GuardedChild) -> None:
        run(child, "sleep", "60")
        os.kill(child._guard, signal.SIGKILL)
        wait_until(lambda: child.poll() or child.guard_is_gone)
        assert child.exit_status is None
        child.signal(signal.SIGKILL)
        until_ended(child)


class TestGuard:
    """What happens although nobody here does anything."""

    def test_the_command_is_killed_when_it_has_to_be_dead(self) -> None:
        dead_by = boottime() + 0.5
        with GuardedChild(dead_by) as child:
            run(child, "sleep", "600")
            assert until_ended(child) == 128 + signal.SIGKILL
            assert boottime() >= dead_by

    def test_the_command_lives_on_as_long_as_the_instant_is_moved(self) -> None:
        dead_by = boottime() + 0.5
        with GuardedChild(dead_by) as child:
            child.extend(boottime() + LONG_S)
            run(child, "sleep", "600")
            wait_until(lambda: boottime() > dead_by + 0.5)
            child.poll()
            assert child.exit_status is None

    def test_a_guard_that_was_paused_reads_its_mail_before_it_judges(self) -> None:
        dead_by = boottime() + 2
        with GuardedChild(dead_by) as child:
            run(child, "sleep", "600")
            os.kill(child._guard, signal.SIGSTOP)
            child.extend(boottime() + LONG_S)
            wait_until(lambda: boottime() > dead_by)
            os.kill(child._guard, signal.SIGCONT)
            wait_until(lambda: state_of(child._guard) == "S")
            child.poll()
            assert child.exit_status is None

    def test_what_has_to_be_dead_at_once_is_not_given_more_time(self, child: GuardedChild) -> None:
        run(child, "sleep", "600")
        os.kill(child._guard, signal.SIGSTOP)
        wait_until(lambda: state_of(child._guard) == "T")
        child.extend(NOW)
        child.extend(boottime() + LONG_S)  # as a renewal does that was on its way
        os.kill(child._guard, signal.SIGCONT)
        assert until_ended(child) == 128 + signal.SIGKILL

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
    def test_the_group_dies_in_time_when_its_parent_is_killed_or_stopped(
        self, tmp_path: Path, number: signal.Signals
    ) -> None:
        program = f"""
import os, time
from atectl.guard.child import GuardedChild
from atectl.system.clock import boottime
from tests.support.processes import is_alive, pid_in, state_of
from tests.support.waiting import wait_until
child = GuardedChild(boottime() + {3.0 if number == signal.SIGSTOP else 600})
child.start(["sh", "-c", "sleep 600 & echo $! > {tmp_path}/pid; wait"], os.environ)
time.sleep(600)
"""
        parent = subprocess.Popen([sys.executable, "-c", program])
        try:
            grandchild = pid_in(tmp_path)
            child = int(Path(f"/proc/{grandchild}/stat").read_text().rpartition(")")[2].split()[1])
            parent.send_signal(number)
            wait_until(lambda: not is_alive(grandchild) and not is_alive(child))
        finally:
            parent.kill()
            parent.wait()
