"""The actor's lock around a capsule's run: taken before it starts, and the guest's end if lost."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from atectl.errors import AtectlError
from atectl.lease.outcome import LOCK_LOST
from atectl.locks.errors import BadLockTtl, LockLost
from atectl.locks.heartbeat import LockTimes
from atectl.locks.holder_record import Holder
from atectl.locks.holding import HeldLock, LockTerms, acquire, acquire_within

from ..output.stderr import tell_of_wait

if TYPE_CHECKING:
    from atectl.lease.lease import Lease
    from atectl.lease.outcome import Outcome

    from .arguments import LockRequest

MIN_TTL_S = 2.0
"""A guest that was told to end may take half a second, which has to be within a quarter of it."""

_LOOK_S = 0.05


class RunLock:
    """A lock that is held for a lease, and watched until `settle`."""

    def __init__(self, lock: HeldLock, lease: "Lease") -> None:
        self._lock = lock
        self._lease = lease
        self._settled = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lock watch", daemon=True)
        lock.keep()
        self._thread.start()

    def settle(self, outcome: "Outcome", warnings: list[AtectlError]) -> "Outcome":
        """Release the lock now that the guest has ended; the outcome, if the lock was lost that."""
        self._settled.set()
        self._thread.join()
        try:
            self._lock.release()
        except LockLost as loss:
            return outcome._replace(reason=LOCK_LOST, exit_status=loss.exit_status, error=loss)
        except AtectlError as error:
            warnings.append(error)
        return outcome

    def abandon(self) -> None:
        """Release the lock of a lease that did not come to its end; no effect after `settle`."""
        if self._settled.is_set():
            return
        self._settled.set()
        try:
            self._lock.release()
        except AtectlError:  # it frees itself, and why the lease failed is what is to be said
            return

    def facts(self) -> dict[str, Any]:
        """What the report says of the lock."""
        terms = self._lock.terms
        return {"actor": terms.actor, "key": terms.key, "fence": self._lock.fence}

    def _watch(self) -> None:
        while self._lock.look() is None:
            if self._settled.wait(_LOOK_S):
                return
        self._lease.end(LOCK_LOST)


@contextmanager
def taken(request: "LockRequest", lease: "Lease") -> Iterator[RunLock | None]:
    """Hold an actor's lock for a lease; None if a signal ended the lease while it waited.

    Raises:
        LockBusy: somebody else holds it (exit 75).
        BadLockTtl: its TTL is too short for a guest to be ended in time (exit 2).
        AtectlError: there is no server, or it could not be asked (exit 2 or 125).
    """
    if request.ttl_s < MIN_TTL_S:
        raise BadLockTtl(f"--lock-ttl {request.ttl_s:g}s is too short; the least is 2s")
    from ..options.places import connected

    terms = _terms(request, lease)
    with connected(request.redis) as connection:
        if request.wait_s is None:
            lock = acquire(connection, terms)
        else:
            try:
                lock = acquire_within(
                    connection,
                    terms,
                    request.wait_s,
                    sleep=lambda seconds: _sleep(seconds, lease),
                    on_busy=tell_of_wait,
                )
            except InterruptedError:
                yield None
                return
        run_lock = RunLock(lock, lease)
        try:
            yield run_lock
        finally:
            run_lock.abandon()


def _terms(request: "LockRequest", lease: "Lease") -> LockTerms:
    # The guest's arguments stay out of it: whoever may read the locks would read them.
    command = f"atectl run {lease.capsule.name}"
    return LockTerms(
        actor=request.actor,
        key=request.key,
        holder=Holder(os.uname().nodename, os.getpid(), command, lease.terms.principal),
        times=LockTimes(request.ttl_s),
        deadline_s=lease.terms.quota.deadline_s,
    )


def _sleep(seconds: float, lease: "Lease") -> None:
    until = time.monotonic() + seconds
    while (left_s := until - time.monotonic()) > 0:
        if lease.is_ending:
            raise InterruptedError
        time.sleep(min(left_s, _LOOK_S))
