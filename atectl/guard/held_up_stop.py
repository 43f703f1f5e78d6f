"""Seeing that a process is stopped when the system does not report it.

A process that starts a program with vfork or posix_spawn sleeps until the new process executes
that program. If a stop, as from Ctrl-Z, comes in between, the new process stops first, and the
sleeping one cannot. So its own parent, waiting with WUNTRACED, is told nothing until somebody
continues them. Some shells, such as dash, start each command in this way; so do make, Go and
Python.

Source: vfork(2); do_signal_stop and wait_for_vfork_done of Linux.
"""

import signal
from pathlib import Path

_PROC = Path("/proc")
_STOPS = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_STOP_BITS = sum(1 << number - 1 for number in _STOPS)
_STOPPED = "T"
_ASLEEP_IN_KERNEL = "D"


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped, or will stop as soon as its stopped child executes a program.

    False if the system does not say.
    """
    try:
        state, pending = _state_and_pending(pid)
        if state != _ASLEEP_IN_KERNEL:
            # With many threads, one may sleep so while the others, the first included, stopped.
            return state == _STOPPED
        is_due = bool(pending & _STOP_BITS) or _has_stopped_thread(pid)
        return is_due and _has_stopped_child(pid)
    except OSError:
        return False


def _state_and_pending(pid: int) -> tuple[str, int]:
    """The state of a process's first thread, and its pending signals as a bit set."""
    lines = (_PROC / str(pid) / "status").read_text(errors="replace").splitlines()
    fields = dict(line.partition(":\t")[::2] for line in lines)
    return fields["State"][0], int(fields["SigPnd"], 16) | int(fields["ShdPnd"], 16)


def _has_stopped_thread(pid: int) -> bool:
    tasks = (_PROC / str(pid) / "task").iterdir()
    return any(_stat(task)[:1] == [_STOPPED] for task in tasks)


def _has_stopped_child(pid: int) -> bool:
    wanted = [_STOPPED, str(pid)]
    return any(_stat(folder) == wanted for folder in _PROC.glob("[0-9]*"))


def _stat(folder: Path) -> list[str]:
    """The state of a process or thread, and its parent's number. Empty if it has ended."""
    try:
        return (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
    except OSError:
        return []
