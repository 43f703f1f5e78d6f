"""A lease under an actor's lock: it is taken before the guest starts, and losing it ends the guest.

The lock is watched until the guest has ended, and only then released.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from atectl.errors import AtectlError
from atectl.lease.outcome import LOCK_LOST
from atectl.locks.errors import BadLockTtl, LockLost
from atectl.locks.heartbeat import LockTimes
from atectl.locks.holder_record import own_holder
from atectl.locks.holding import HeldLock, LockTerms, acquire, acquire_within
from atectl.locks.keys import OtherForms
from atectl.locks.patience import Patience, opened

if TYPE_CHECKING:
    from atectl.lease.lease import Lease
    from atectl.lease.report import LockFacts
    from atectl.redis.connection import RedisConnection

MIN_TTL_S = 2.0
"""The shortest TTL. A guest may take half a second to end: that must be a quarter of it at most."""

_LOOK_S = 0.05


class LockWanted(NamedTuple):
    """The lock that is to be held.

    Attributes:
        actor: whose lock it is, for messages.
        key: of the lock.
        ttl_s: its TTL, in seconds.
        wait_s: how long to wait for it, in seconds; None to be refused if it is busy.
        others: the other forms that the key can have.
        is_strict: refuse it while a lock of another form is held.
    """

    actor: str
    key: str
    ttl_s: float
    wait_s: float | None
    others: OtherForms = OtherForms()
    is_strict: bool = False


class LeaseLock:
    """A lock that is held for a lease. It is watched until `settle`."""

    def __init__(self, lock: HeldLock, lease: "Lease") -> None:
        self._lock = lock
        self._lease = lease
        self._settled = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lock watch", daemon=True)
        lock.keep()
        self._thread.start()

    def settle(self) -> AtectlError | None:
        """Release the lock, now that the guest has ended.

        If the lock was lost before, the outcome of the lease is that, whatever the guest did.

        Returns:
            Why the lock could not be released; it expires by itself then. None if it was.
        """
        self._settled.set()
        self._thread.join()
        try:
            self._lock.release()
        except LockLost as loss:
            lost = self._lease.outcome._replace(
                reason=LOCK_LOST, exit_status=loss.exit_status, error=loss
            )
            self._lease.overrule(lost)
        except AtectlError as error:
            return error
        return None

    def abandon(self) -> None:
        """Release the lock of a lease that failed before its end; no effect after `settle`."""
        if self._settled.is_set():
            return
        self._settled.set()
        try:
            self._lock.release()
        except AtectlError:  # the lock expires, and the failure of the lease is what matters
            return

    def facts(self) -> "LockFacts":
        """What the report says about the lock."""
        from atectl.lease.report import LockFacts

        terms = self._lock.terms
        return LockFacts(terms.actor, terms.key, self._lock.fence)

    def _watch(self) -> None:
        while self._lock.look() is None:
            if self._settled.wait(_LOOK_S):
                return
        loss = LockLost("the actor's lock was lost while the guest ran")
        self._lease.end(LOCK_LOST, loss)


@contextmanager
def locked(
    open_connection: Callable[[], "RedisConnection"],
    wanted: LockWanted,
    lease: "Lease",
    on_wait: Callable[[AtectlError], None],
    on_warning: Callable[[AtectlError], None],
) -> Iterator[LeaseLock | None]:
    """Hold an actor's lock for a lease; None if the lease was told to end while it waited.

    Args:
        open_connection: connects to the server that keeps the lock.
        wanted: which lock, and how long to wait for it.
        lease: whose guest is to run under it.
        on_wait: called with what is waited for: somebody else holds it, or no server answers.
        on_warning: called with problems that do not keep the guest from running.

    Raises:
        LockBusy: somebody else holds it (exit 75).
        BadLockTtl: its TTL is too short to end a guest in time (exit 2).
        AtectlError: the server could not be reached or asked (exit 125).
    """
    if wanted.ttl_s < MIN_TTL_S:
        raise BadLockTtl(f"--lock-ttl {wanted.ttl_s:g}s is too short; the least is 2s")
    patience = None
    if wanted.wait_s is not None:
        patience = Patience(wanted.wait_s, sleep=lambda s: _sleep(s, lease), on_wait=on_wait)
    try:
        connection = opened(open_connection, patience)
    except InterruptedError:
        yield None
        return
    with connection:
        try:
            lock = _acquire(connection, wanted, lease, patience, on_warning)
        except InterruptedError:
            yield None
            return
        held = LeaseLock(lock, lease)
        try:
            yield held
        finally:
            held.abandon()


def _acquire(
    connection: "RedisConnection",
    wanted: LockWanted,
    lease: "Lease",
    patience: Patience | None,
    on_warning: Callable[[AtectlError], None],
) -> HeldLock:
    # Without the guest's arguments, which may be secret: many may read the locks.
    command = f"atectl run {lease.capsule.name}"
    terms = LockTerms(
        actor=wanted.actor,
        key=wanted.key,
        holder=own_holder(command, lease.terms.principal),
        times=LockTimes(wanted.ttl_s),
        deadline_s=lease.terms.quota.deadline_s,
        others=wanted.others,
        is_strict=wanted.is_strict,
    )
    if patience is None:
        return acquire(connection, terms, on_warning=on_warning)
    return acquire_within(connection, terms, patience, on_warning=on_warning)


def _sleep(seconds: float, lease: "Lease") -> None:
    """Wait, unless the lease is told to end: then raise `InterruptedError`."""
    until = time.monotonic() + seconds
    while (left_s := until - time.monotonic()) > 0:
        if lease.is_ending:
            raise InterruptedError
        time.sleep(min(left_s, _LOOK_S))
