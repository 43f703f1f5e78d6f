"""The process that runs a guarded command, and kills it when atectl cannot: a program of its own.

It leads the command's process group, so while it lives no other group can get that number. It is
the parent of the command, and a child subreaper: whatever the command starts stays below it, also
what leaves the group or loses its own parent, as a daemon does. Nothing of that outlives it.

Through stdin atectl tells it again and again by when the command has to be dead. The guard kills
everything below it when that instant passes, because atectl is stopped or hangs; when stdin ends,
because atectl is gone; and when it is told to. Through stdout it tells atectl what becomes of the
command, a line at a time.

It is run by its path with `-I -S` and imports little, so it starts in two hundredths of a second.
Unlike the parent-death signal of Linux it reaches all that the command has started, survives a
change of user, and works when the parent is only paused.
"""

import os
import select
import signal
import struct
import sys
import time

MESSAGE = struct.Struct("<d")
"""When the command has to be dead. The first message lets it begin."""

NOW = 0.0
"""The instant that has everything killed at once."""

_READ_BYTES = MESSAGE.size * 256
_TICK_S = 0.1
_PR_SET_CHILD_SUBREAPER = 36
_RESET_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores these signals, and a program that it starts would inherit that."""


class Process:
    """A process as /proc tells of it."""

    def __init__(self, pid: int, stat: bytes) -> None:
        name, _, rest = stat.rpartition(b")")
        fields = rest.split()
        self.pid = pid
        self.name = name.partition(b"(")[2].decode("utf-8", "replace")
        self.has_ended = fields[0] in (b"Z", b"X")
        self.parent = int(fields[1])
        self.group = int(fields[2])


def descendants(root: int) -> list[Process]:
    """All living descendants of a process, the nearest first."""
    children: dict[int, list[Process]] = {}
    for process in _processes():
        children.setdefault(process.parent, []).append(process)
    found, pending = [], [root]
    while pending:
        below = children.get(pending.pop(0), [])
        found += [process for process in below if not process.has_ended]
        pending += [process.pid for process in below]
    return found


def signal_work(guard: int, number: int) -> None:
    """Send a signal to all that runs below a guard, whichever process group it is in."""
    for process in descendants(guard):
        try:
            os.kill(process.pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def _processes() -> list[Process]:
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib is half of this program's start
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                found.append(Process(int(name), file.read()))
        except OSError:  # it has ended
            continue
    return found


def _become_subreaper() -> bool:
    """Have orphans below this process become its children. False: the system cannot do that."""
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        return bool(libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False


class Guard:
    """Runs the command and watches over it.

    Args:
        source: the descriptor that atectl tells through.
        report: the one that is told to it.
    """

    def __init__(self, source: int, report: int) -> None:
        self._source = source
        self._report = report
        self._command = 0
        self._kill_by = float("inf")
        # The handler does nothing: what counts is that it wakes the `select`.
        self._woken, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(wakes, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])

    def run(self, words: list[str], files: list[int]) -> None:
        """Run the command until it has to be dead, with these files as its first descriptors."""
        if not _become_subreaper():
            self._tell("alone")
        if self._hear() and self._start(words, files):
            while not self._is_due():
                self._wait()
        self._end_all()

    def _start(self, words: list[str], files: list[int]) -> bool:
        actions = [(os.POSIX_SPAWN_DUP2, file, place) for place, file in enumerate(files)]
        closing = [(os.POSIX_SPAWN_CLOSE, file) for file in files]
        try:
            self._command = os.posix_spawnp(
                words[0], words, os.environ,
                file_actions=[*actions, *closing],
                setpgroup=os.getpgrp(), setsigmask=[], setsigdef=[*_RESET_SIGNALS, signal.SIGCHLD],
            )  # fmt: skip
        except OSError as error:
            self._tell(f"failed {error.errno or 0}")
            return False
        for file in files:
            os.close(file)
        self._tell(f"started {self._command}")
        return True

    def _is_due(self) -> bool:
        """Whether the command has to be dead now.

        A guard that was paused may have a new message, so the clock is read before the messages.
        """
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        while select.select([self._source], [], [], 0)[0]:
            if not self._hear():
                return True
        return now >= self._kill_by

    def _wait(self) -> None:
        wait_s = min(max(self._kill_by - time.clock_gettime(time.CLOCK_BOOTTIME), 0), _TICK_S)
        ready = select.select([self._source, self._woken], [], [], wait_s)[0]
        if self._woken in ready:
            os.read(self._woken, _READ_BYTES)
        self._reap()

    def _hear(self) -> bool:
        """Take the latest message. False: atectl is gone."""
        data = os.read(self._source, _READ_BYTES)
        if len(data) < MESSAGE.size:
            return False
        [self._kill_by] = MESSAGE.unpack(data[-MESSAGE.size :])
        return True

    def _reap(self) -> bool:
        """Wait for all that have ended or were stopped. False: there are no children left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return False
            if not pid:
                return True
            if pid != self._command:
                continue
            if os.WIFSTOPPED(status):
                self._tell("stopped")
            else:
                self._command = 0
                self._tell(f"ended {status}")

    def _end_all(self) -> None:
        """Kill everything below this process, until there is nothing left, and name the strays."""
        strays: dict[int, str] = {}
        while True:
            left = descendants(os.getpid())
            for process in left:
                if process.group != os.getpgrp():
                    strays[process.pid] = process.name
                try:
                    os.kill(process.pid, signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    continue
            # What is killed here has ended only when it was waited for.
            if not self._reap() and not left:
                break
            select.select([self._woken], [], [], 0.002 if left else 0.02)
        for pid, name in strays.items():
            self._tell(f"stray {pid} {name!r}")

    def _tell(self, line: str) -> None:
        try:
            os.write(self._report, line.encode() + b"\n")
        except OSError:  # atectl is gone
            return


if __name__ == "__main__":
    Guard(0, 1).run(sys.argv[2:], [int(number) for number in sys.argv[1].split(",")])
