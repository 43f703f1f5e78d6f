"""A command in a process group of its own that is killed in time, with all its processes.

A guard leads the group; `guard` says what it does. Both are started by posix_spawn, without a
fork of this process: a forked child could wait for ever for a mutex that another thread held.
"""

import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from atectl.guard import guard as child_guard
from atectl.guard.errors import HeldCommandNotExecutable, HeldCommandNotFound
from atectl.guard.foreground import Foreground
from atectl.guard.guard import MESSAGE, signal_work
from atectl.guard.held_up_stop import is_stopped

_RESET_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores these signals, and a program that it starts would inherit that."""


class GuardedChild:
    """One command under a guard. Close it after use.

    Args:
        kill_by: when the command has to be dead, in seconds of CLOCK_BOOTTIME, unless `extend`
            is called.
    """

    def __init__(self, kill_by: float) -> None:
        self.exit_status: int | None = None
        """The exit status of the command once it has ended; 128 + N if signal N killed it."""
        self.is_stopped = False
        self.guard_is_gone = False
        self._command = 0
        self._kill_by = kill_by
        self._mutex = threading.Lock()
        reader, self._writer = os.pipe2(os.O_CLOEXEC)
        try:
            self.group = self._guard = _start_guard(reader)
        except OSError:
            os.close(self._writer)
            raise
        finally:
            os.close(reader)
        self._terminal = Foreground.of(0)
        self.extend(kill_by)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def has_terminal(self) -> bool:
        """Whether stdin is a terminal, from which the command can be stopped."""
        return self._terminal is not None

    def start(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        """Run a command. If this process has the terminal, the command gets it.

        Raises:
            HeldCommandNotFound: there is no such command (exit 127).
            HeldCommandNotExecutable: it cannot be executed (exit 126).
        """
        self._lend_terminal()
        try:
            self._command = os.posix_spawnp(
                words[0], list(words), dict(environment),
                setpgroup=self.group, setsigdef=_RESET_SIGNALS,
            )  # fmt: skip
        except FileNotFoundError:
            raise HeldCommandNotFound(f"there is no command {words[0]!r}") from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise HeldCommandNotExecutable(f"{words[0]!r}: {reason}") from None
        with self._mutex:
            self._tell_guard()

    def extend(self, kill_by: float) -> None:
        """Set another instant by which the command has to be dead. Any thread may call it."""
        with self._mutex:
            self._kill_by = kill_by
            self._tell_guard()

    def signal(self, number: int) -> None:
        """Send a signal to the whole group. The guard ignores all but SIGKILL."""
        signal_work(self.group, self._command, number)

    def poll(self) -> None:
        """Bring `exit_status`, `is_stopped` and `guard_is_gone` up to date, without waiting."""
        if self._command and self.exit_status is None:
            pid, status = os.waitpid(self._command, os.WNOHANG | os.WUNTRACED)
            if pid and os.WIFSTOPPED(status):
                self.is_stopped = True
            elif pid:
                self._command, self.exit_status = 0, _exit_status(status)
            elif not self.is_stopped:
                self.is_stopped = is_stopped(self._command)
        # The guard is not reaped before the group: while it is there, its number is the group's.
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        self.guard_is_gone = os.waitid(os.P_PID, self._guard, options) is not None

    def give_up_terminal(self) -> None:
        """Take the terminal back while the command is stopped."""
        if self._terminal is not None:
            self._terminal.take_back()

    def resume(self) -> None:
        """Continue a stopped command, with the terminal."""
        self._lend_terminal()
        self.is_stopped = False
        self.signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill what is left of the group and the guard, and take the terminal back."""
        if self._writer == -1:
            return
        self.signal(signal.SIGKILL)
        was_killed = self.exit_status is None or self.exit_status > 128
        if self._command:
            self.exit_status = _exit_status(os.waitpid(self._command, 0)[1])
            self._command = 0
        os.waitpid(self._guard, 0)
        if self._terminal is not None:
            self._terminal.take_back(restore_modes=was_killed)
        os.close(self._writer)
        self._writer = -1

    def _tell_guard(self) -> None:
        try:
            os.write(self._writer, MESSAGE.pack(self._kill_by, self._command))
        except BrokenPipeError:  # the guard is gone: `poll` finds out
            return

    def _lend_terminal(self) -> None:
        if self._terminal is not None:
            self._terminal.lend(self.group)


def _start_guard(reader: int) -> int:
    nowhere = (os.devnull, os.O_WRONLY, 0)
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", child_guard.__file__],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, reader, 0),
            (os.POSIX_SPAWN_OPEN, 1, *nowhere),
            (os.POSIX_SPAWN_OPEN, 2, *nowhere),
        ],
        setpgroup=0,
        # No signal to the group may reach the guard, whether the terminal sends it or we do.
        setsigmask=signal.valid_signals(),
    )


def _exit_status(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
