"""Ending a lease that another process of this machine runs: a run, or one guest of a batch."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path

from atectl.batch.control import end_in_batch
from atectl.errors import nearest
from atectl.ledger_store.errors import LeaseNotEnded, UnknownLease
from atectl.ledger_store.records import LOST, LeaseRecord
from atectl.system.processes import process_identity

_LEAST_CHARACTERS = 4
"""A lease may be named by the beginning of its id, if that is as long and no other's."""


def end_lease(running: Iterable[LeaseRecord], wanted: str) -> LeaseRecord:
    """Tell a lease to end: a run gets SIGTERM, a batch is told to end that guest alone.

    Args:
        running: the unfinished leases.
        wanted: its id, or the beginning of that.

    Returns:
        The lease. It may take a moment to end.

    Raises:
        UnknownLease: no lease that runs has this id, or several begin with it (exit 1).
        LeaseNotEnded: it runs on another host or for another user, or has ended (exit 125).
    """
    lease = _named(list(running), wanted)
    _require_own(lease)
    is_told = end_in_batch(lease.pid, lease.id)
    if is_told is None:
        is_told = _terminate_run(lease)
    if not is_told:
        raise LeaseNotEnded(f"lease {lease.id} has ended meanwhile", remedy="")
    return lease


def _named(running: list[LeaseRecord], wanted: str) -> LeaseRecord:
    for lease in running:
        if lease.id == wanted:
            return lease
    found = [lease for lease in running if lease.id.startswith(wanted)]
    if len(wanted) < _LEAST_CHARACTERS or not found:
        near = nearest(wanted, [lease.id for lease in running])
        raise UnknownLease(f"no lease {wanted!r} is running{near}")
    if len(found) > 1:
        raise UnknownLease(f"the ids of {len(found)} leases begin with {wanted!r}")
    return found[0]


def _require_own(lease: LeaseRecord) -> None:
    """See that a lease is run by a process of this machine and user."""
    if lease.state == LOST:
        raise LeaseNotEnded(f"lease {lease.id} is lost: its process has ended", remedy="")
    if process_identity(lease.pid) != lease.process or not lease.process:
        raise LeaseNotEnded(f"lease {lease.id} runs on host {lease.host!r}, not here")
    try:
        user = Path(f"/proc/{lease.pid}").stat().st_uid
    except OSError:
        return  # it has just ended, which telling it will find out
    if os.geteuid() not in (0, user):
        raise LeaseNotEnded(
            f"lease {lease.id} is run by another user", remedy="end it as that user, or as root"
        )


def _terminate_run(lease: LeaseRecord) -> bool:
    """Send SIGTERM to a run; whether it was still there."""
    if not _is_run(lease.pid):
        # A signal would end all the leases of such a process.
        raise LeaseNotEnded(
            f"process {lease.pid}, which runs lease {lease.id}, takes no messages",
            remedy="end the process itself, with all its leases",
        )
    try:
        process = os.pidfd_open(lease.pid)
    except OSError:
        return False
    try:
        if process_identity(lease.pid) != lease.process:  # the pid may have been used again
            return False
        signal.pidfd_send_signal(process, signal.SIGTERM)
    except OSError:
        return False
    finally:
        os.close(process)
    return True


def _is_run(pid: int) -> bool:
    """Whether a process is `atectl run`, by its command line."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:]
    except OSError:
        return False
    return next((word for word in words if word in (b"run", b"batch", b"host")), b"") == b"run"
