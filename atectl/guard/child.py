"""A command that is killed in time, with all that it has started, whatever becomes of atectl.

A guard runs it, in a process group of its own; `guard` says what it does. The guard is started by
posix_spawn, without a fork of this process: a forked child could wait for ever for a mutex that
another thread held.
"""

import fcntl
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import NamedTuple, Self

from atectl.guard import guard as child_guard
from atectl.guard.errors import GuardGone, HeldCommandNotExecutable, HeldCommandNotFound
from atectl.guard.foreground import Foreground
from atectl.guard.guard import MESSAGE, NOW, descendants, signal_work
from atectl.guard.held_up_stop import is_stopped
from atectl.system.errors import not_started

_FREE_DESCRIPTOR = 64
"""Descriptors from here on are the guard's: a shell may have given lower ones to the command."""


class Stray(NamedTuple):
    """A process that had left the command's process group, and was ended with it."""

    pid: int
    name: str


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
        self.finds_strays = True
        """Whether processes that lose their parent are found, too; known once it was started."""
        self.strays: list[Stray] = []
        """Those that were ended, once it is closed."""
        self.group = 0
        self._command = 0
        self._guard = 0
        self._kill_by = kill_by
        self._writer = self._reader = -1
        self._heard = b""
        self._error = 0
        self._mutex = threading.Lock()
        self._terminal = Foreground.of(0)

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

    @property
    def reader(self) -> int:
        """A descriptor that is readable when something became of the command."""
        return self._reader

    def start(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        """Run a command. If this process has the terminal, the command gets it.

        Raises:
            HeldCommandNotFound: there is no such command (exit 127).
            HeldCommandNotExecutable: it cannot be executed (exit 126).
            PythonNotStarted: the guard could not be started (exit 125).
            GuardGone: the guard was killed meanwhile (exit 125).
        """
        try:
            self._start_guard(words, environment)
        except ValueError as error:
            raise HeldCommandNotExecutable(f"{words[0]!r}: {error}") from None
        except OSError as error:
            raise not_started(error) from None
        # The guard begins only now: the command must not read from a terminal that it has not got.
        self._lend_terminal()
        with self._mutex:
            self._tell_guard()
        while not (self._command or self._error or self.exit_status is not None):
            if not self._hear():
                raise GuardGone("the process that guards the command was killed")
        if self._error:
            reason = os.strerror(self._error)
            if isinstance(OSError(self._error, reason), FileNotFoundError):
                raise HeldCommandNotFound(f"there is no command {words[0]!r}")
            raise HeldCommandNotExecutable(f"{words[0]!r}: {reason}")

    def extend(self, kill_by: float) -> None:
        """Set another instant by which the command has to be dead. Any thread may call it.

        Once it has to be dead at once, that is final: the guard goes by the latest it hears.
        """
        with self._mutex:
            if self._kill_by != NOW:
                self._kill_by = kill_by
                self._tell_guard()

    def signal(self, number: int) -> None:
        """Send a signal to the command and all that it has started.

        SIGKILL ends all of it, and the guard with it.
        """
        if not self._guard:
            return
        if number == signal.SIGKILL:
            below = descendants(self._guard)
            self._note([Stray(x.pid, x.name) for x in below if x.group != self.group])
            self.extend(NOW)
            # It would not hear if somebody had stopped it.
            os.kill(self._guard, signal.SIGCONT)
        signal_work(self._guard, number)
        if self.guard_is_gone:
            _signal_group(self.group, number)

    def poll(self) -> None:
        """Bring `exit_status`, `is_stopped` and `guard_is_gone` up to date, without waiting."""
        if not self._guard:
            return
        while select.select([self._reader], [], [], 0)[0] and self._hear():
            continue
        if self._command and not self.is_stopped:
            self.is_stopped = is_stopped(self._command)
        # The guard is not reaped before the group: while it is there, its number is the group's.
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        has_ended = os.waitid(os.P_PID, self._guard, options) is not None
        self.guard_is_gone = has_ended and self.exit_status is None
        if self.guard_is_gone and not is_there(self._command):
            self.exit_status = 128 + signal.SIGKILL

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
        """Kill what is left below the guard, and the guard, and take the terminal back.

        On return all of it has ended: nothing that was started writes any more.
        """
        if not self._guard:
            return
        self.signal(signal.SIGKILL)
        was_killed = self.exit_status is None or self.exit_status > 128
        while self._hear():
            continue
        if self.exit_status is None:
            # The guard was killed, so what it ran has to be looked for.
            _signal_group(self.group, signal.SIGKILL)
            self.exit_status = 128 + signal.SIGKILL
        os.waitpid(self._guard, 0)
        self._guard = self._command = 0
        if self._terminal is not None:
            self._terminal.take_back(restore_modes=was_killed)
        for descriptor in (self._writer, self._reader):
            os.close(descriptor)

    def _start_guard(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        source, self._writer = os.pipe2(os.O_CLOEXEC)
        self._reader, report = os.pipe2(os.O_CLOEXEC)
        with _kept(source) as stdin, _kept(report) as stdout, _kept(0) as a, _kept(1) as b, \
                _kept(2) as c:  # fmt: skip
            files = ",".join(map(str, (a, b, c)))
            try:
                self._guard = os.posix_spawn(
                    sys.executable,
                    [sys.executable, "-I", "-S", child_guard.__file__, files, *words],
                    dict(environment),
                    file_actions=[
                        (os.POSIX_SPAWN_DUP2, stdin, 0),
                        (os.POSIX_SPAWN_DUP2, stdout, 1),
                        (os.POSIX_SPAWN_CLOSE, stdin),
                        (os.POSIX_SPAWN_CLOSE, stdout),
                        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                    ],
                    setpgroup=0,
                    # No signal to the group may reach the guard, whoever sends it.
                    setsigmask=signal.valid_signals(),
                )
            except BaseException:
                for descriptor in (self._writer, self._reader):
                    os.close(descriptor)
                raise
            finally:
                os.close(source)
                os.close(report)
        self.group = self._guard

    def _hear(self) -> bool:
        """Take what the guard tells, once it tells something. False: it has ended."""
        data = os.read(self._reader, 4096)
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            self._take(*line.decode("utf-8", "replace").split(" ", 2))
        return bool(data)

    def _take(self, what: str, number: str = "0", name: str = "") -> None:
        match what:
            case "started":
                self._command = int(number)
            case "failed":
                self._error = int(number)
                self.exit_status = 128
            case "stopped":
                self.is_stopped = True
            case "ended":
                self._command, self.exit_status = 0, _exit_status(int(number))
            case "stray":
                self._note([Stray(int(number), name.strip("'\""))])
            case "alone":
                self.finds_strays = False

    def _note(self, strays: list[Stray]) -> None:
        known = {stray.pid for stray in self.strays}
        self.strays += [stray for stray in strays if stray.pid not in known]

    def _tell_guard(self) -> None:
        if self._guard:
            try:
                os.write(self._writer, MESSAGE.pack(self._kill_by))
            except BrokenPipeError:  # the guard is gone: `poll` finds out
                return

    def _lend_terminal(self) -> None:
        if self._terminal is not None:
            self._terminal.lend(self.group)


@contextmanager
def _kept(descriptor: int) -> Iterator[int]:
    """A copy of a descriptor for a program that is started; of /dev/null if it is not open."""
    try:
        copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD, _FREE_DESCRIPTOR)
    except OSError:
        opened = os.open(os.devnull, os.O_RDWR)
        copy = fcntl.fcntl(opened, fcntl.F_DUPFD, _FREE_DESCRIPTOR)
        os.close(opened)
    try:
        yield copy
    finally:
        os.close(copy)


def is_there(pid: int) -> bool:
    """Whether there is a process with this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def _exit_status(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
