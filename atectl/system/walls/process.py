"""Walls of the whole process: limits of the kernel, and what it gives up for good.

A limit is never raised here, and each may be called again with a lower bound. None of them needs a
privilege.

RLIMIT_NPROC is not among them: it counts all processes and threads of a user, wherever they run,
and is not applied to root. So it cannot bound one process. That a guest starts none is a matter
of the system calls that its thread may make: see `system_calls`.
"""

import os
import resource
import signal

from atectl.system.libc import libc, reason
from atectl.system.walls.amounts import LARGEST_LIMIT
from atectl.system.walls.wall import Wall, holding, not_here
from atectl.units import show_size

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_FILES = 0x400


def limit_data(most_bytes: int) -> Wall:
    """Bound the pages that this process may open for itself; reserved address space is free."""
    _lower(resource.RLIMIT_DATA, most_bytes)
    return holding("memory", f"{show_size(most_bytes)} of this process in all")


def limit_descriptors(most: int) -> Wall:
    """Bound the descriptors that this process may have open."""
    _lower(resource.RLIMIT_NOFILE, most)
    return holding("descriptors", f"{most} of this process in all")


def own_descriptors() -> Wall:
    """Give this thread a table of descriptors of its own, with those that are open now.

    What it opens then takes none of those that other threads may have, and it cannot use what they
    open. The limit holds for each table. What this thread opens it has to close itself.
    """
    if libc.unshare(_CLONE_FILES):
        return not_here("descriptors of the guest", f"the system refuses it: {reason()}")
    return holding("descriptors of the guest", "none of those of other threads")


def leave_no_core() -> Wall:
    """Write no file with the memory of this process if it dies."""
    _lower(resource.RLIMIT_CORE, 0)
    return holding("core files", "none is written")


def gain_no_privileges() -> Wall:
    """Let no program that this thread starts gain privileges, nor any thread that it starts."""
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return not_here("privileges", f"the system refuses it: {reason()}")
    return holding("privileges", "none is gained by starting a program")


def end_with_parent(parent: int) -> Wall:
    """End this process when the thread that started it ends; now if `parent` is not its parent.

    It is for processes that serve another. A run may outlive who started it.
    """
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL)):
        return not_here("parent", f"the system refuses it: {reason()}")
    if os.getppid() != parent:
        os._exit(0)
    return holding("parent", "its end is the end of this process")


def _lower(kind: int, most: int) -> None:
    """Set the soft and the hard limit, unless they are lower already."""
    most = min(most, LARGEST_LIMIT)
    limits = resource.getrlimit(kind)
    unlimited = resource.RLIM_INFINITY
    soft, hard = (most if each == unlimited else min(each, most) for each in limits)
    resource.setrlimit(kind, (soft, hard))
