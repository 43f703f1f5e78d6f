"""The process that kills a guarded command when atectl cannot: a small program of its own.

It leads the command's process group, so while it lives no other group can get that number.
Through stdin atectl tells it again and again by when the command has to be dead. The guard kills
the group, itself included, when that instant passes, because atectl is stopped or hangs, and when
stdin ends, because atectl is gone.

It is run by its path with `-I -S` and imports little, so it starts in a hundredth of a second.
Unlike the parent-death signal of Linux it reaches the whole group, survives a change of user, and
works when the parent is only paused.
"""

import os
import select
import signal
import struct
import time

MESSAGE = struct.Struct("<dq")
"""When the command has to be dead, and its process number, which is 0 before it runs."""

_READ_BYTES = MESSAGE.size * 256
_TICK_S = 0.1


def signal_work(group: int, command: int, number: int) -> None:
    """Send a signal to a process group, and to descendants of `command` that have left it.

    An interactive shell puts itself and each of its jobs into groups of their own.
    """
    for pid in strays(group, command):
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def strays(group: int, command: int) -> list[int]:
    """Those of the process `command` and its descendants that are not in `group`."""
    if not command:
        return []
    groups, children = _processes()
    found, pending = [], [command]
    while pending:
        pid = pending.pop()
        pending += children.get(pid, [])
        if groups.get(pid, group) != group:
            found.append(pid)
    return found


def _processes() -> tuple[dict[int, int], dict[int, list[int]]]:
    """The process group of each process, and the children of each process that has any."""
    groups: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib is half of this program's start
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                fields = file.read().rpartition(b")")[2].split()
        except OSError:  # it has ended
            continue
        groups[int(name)] = int(fields[2])
        children.setdefault(int(fields[1]), []).append(int(name))
    return groups, children


def guard(source: int) -> None:
    """Wait until the command has to be killed, and kill it."""
    kill_by, command = float("inf"), 0
    while True:
        wait_s = min(max(kill_by - time.clock_gettime(time.CLOCK_BOOTTIME), 0), _TICK_S)
        # Read messages before looking at the clock: a guard that was paused may have a new one.
        if select.select([source], [], [], wait_s)[0]:
            data = os.read(source, _READ_BYTES)
            if not data:
                break
            kill_by, command = MESSAGE.unpack(data[-MESSAGE.size :])
        elif time.clock_gettime(time.CLOCK_BOOTTIME) >= kill_by:
            break
    signal_work(os.getpgrp(), command, signal.SIGKILL)


if __name__ == "__main__":
    guard(0)
