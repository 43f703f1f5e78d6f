"""Taking an actor's lock, keeping it while work is done, and releasing it.

The lock is a key whose value is the token of its holder: a UUIDv4, as in the other systems that
lock actors. Beside it are the holder record, with the same TTL, and the fence. The fence is a
number that rises with every holder and never expires, so a resource can refuse a holder with an
older number.

All this relies on the server remembering what it answered. A server that restarts without its
data, or a replica that is promoted before it has the lock, gives the lock to a second holder. The
first one learns of that at its next renewal; until then both may be working. A fence that was
forgotten in the same way starts from the beginning.
"""

import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from atectl.errors import AtectlError
from atectl.locks.errors import LockBusy, LockLost
from atectl.locks.heartbeat import Heartbeat, LockTimes
from atectl.locks.holder_record import Holder, HolderRecord, pairs, parse_holder
from atectl.locks.keys import companion_keys
from atectl.locks.scripts import source_of
from atectl.system.clock import boottime
from atectl.units import format_duration

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

_RELEASES = 2
"""How often a release is sent if there is no answer."""

_SHORTEST_TIMEOUT_S = 0.25
"""A busy machine may need this long to connect."""

_LONGEST_POLL_S = 1.0
_SHORTEST_POLL_S = 0.02

Renewed = Callable[[float], None]


def _tell_nobody(_kill_by: float) -> None:
    """The callback for a holder that nothing else watches."""


class LockTerms(NamedTuple):
    """How a lock is taken.

    Attributes:
        actor: whose lock it is, for messages.
        key: of the lock.
        holder: what the record beside it says.
        times: its TTL, and what follows from that.
        deadline_s: how long the work may take, in seconds; None for any time.
    """

    actor: str
    key: str
    holder: Holder
    times: LockTimes
    deadline_s: float | None


class LockSeen(NamedTuple):
    """A lock that somebody else holds. `ttl_s` is what is left of its TTL, None if it has none."""

    token: str
    ttl_s: float | None
    holder: HolderRecord | None


class HeldLock:
    """A lock that was taken. `keep` starts to renew it, `release` gives it back."""

    def __init__(
        self,
        connection: "RedisConnection",
        terms: LockTerms,
        token: str,
        fence: int,
        *,
        proved_at: float,
        clock: Callable[[], float],
    ) -> None:
        self.terms = terms
        self.token = token
        self.fence = fence
        self._keys = [terms.key, companion_keys(terms.key).holder]
        self._connection = connection
        # Read now, as an upgrade of atectl may replace the files while the lock is held.
        self._renew_source = source_of("renew")
        self._release_source = source_of("release")
        self._own: RedisConnection | None = None
        self._on_renewed: Renewed = _tell_nobody
        self._heartbeat = Heartbeat(
            terms.times,
            self._renew,
            proved_at=proved_at,
            on_renewed=self._tell,
            clock=clock,
        )

    def keep(self, on_renewed: Renewed = _tell_nobody) -> None:
        """Renew the lock from now on. `on_renewed` is told by when the work has to be dead."""
        self._on_renewed = on_renewed
        self._heartbeat.start()

    def look(self) -> LockLost | None:
        """Why the lock is lost; None if it is not. Asks no server."""
        return self._heartbeat.look()

    @property
    def kill_by(self) -> float:
        """When the work has to be dead, in seconds of CLOCK_BOOTTIME."""
        return self._heartbeat.kill_by

    def release(self) -> None:
        """Stop renewing and release the lock. The work has to have ended before.

        Raises:
            LockLost: the lock was lost, and nothing was deleted (exit 125).
            AtectlError: the server gave no answer. The lock frees itself within its TTL.
        """
        self._heartbeat.stop()
        loss = self.look()
        if loss is not None:
            raise loss
        try:
            self._release()
        finally:
            self._forget_own_connection()

    def _renew(self) -> None:
        """Renew once, on a connection of the heartbeat's own, which is made when first needed."""
        times = self.terms.times
        try:
            if self._own is None:
                # An answer that does not come must leave time for another question.
                timeout_s = max(times.retry_s, _SHORTEST_TIMEOUT_S)
                self._own = self._connection.fresh(timeout_s=timeout_s, retries=0)
            renew = self._own.script(self._renew_source)
            answer = renew(self._keys, [self.token, str(times.ttl_ms)])
        except AtectlError:
            # A new connection finds out again which server is the primary.
            self._forget_own_connection()
            raise
        if answer == 0:
            raise LockLost("the lock is gone: it was released by force, or the server forgot it")
        if answer != 1:
            raise LockLost("the lock is somebody else's now")

    def _release(self) -> None:
        # The heartbeat's connection is in use. The other may have been idle for too long, and so be
        # cut off by the network.
        connection = self._own or self._connection
        for attempt in range(_RELEASES):
            try:
                answer = connection.script(self._release_source)(self._keys, [self.token])
            except AtectlError as error:
                if attempt == _RELEASES - 1:
                    within = format_duration(self.terms.times.ttl_s)
                    error.remedy = (
                        f"nothing: the lock was not released, but frees itself in {within}"
                    )
                    raise
                connection = self._connection
            else:
                # If the first attempt had no answer, it may have succeeded: then the second finds
                # no lock of ours.
                if answer == 1 or attempt:
                    return
                raise LockLost("when the work ended, it no longer had the lock")

    def _forget_own_connection(self) -> None:
        if self._own is not None:
            self._own.close()
            self._own = None

    def _tell(self, kill_by: float) -> None:
        self._on_renewed(kill_by)


def acquire(
    connection: "RedisConnection",
    terms: LockTerms,
    *,
    clock: Callable[[], float] = boottime,
) -> HeldLock:
    """Take a lock that is free.

    Raises:
        LockBusy: somebody else holds it (exit 75).
        AtectlError: the server could not be asked (exit 125). If it has given the lock all the
            same, the lock frees itself within its TTL.
    """
    token = str(uuid.uuid4())
    taken = _try(connection, terms, token, clock)
    if isinstance(taken, LockSeen):
        raise busy(terms, taken)
    return taken


def acquire_within(
    connection: "RedisConnection",
    terms: LockTerms,
    wait_s: float,
    *,
    sleep: Callable[[float], None],
    on_busy: Callable[[LockBusy], None],
    clock: Callable[[], float] = boottime,
    random_unit: Callable[[], float] = random.random,
) -> HeldLock:
    """Take a lock. If it is held, wait until it is free.

    Args:
        connection: where the lock is.
        terms: how it is taken.
        wait_s: the longest wait, in seconds.
        sleep: waits for so many seconds. It may raise an exception to give up.
        on_busy: called once, if the lock is held, with who holds it.
        clock: seconds of a clock that nobody sets and that counts while the machine sleeps.
        random_unit: returns random numbers from 0 to 1, so that several who wait do not all ask at
            the same moment.

    Raises:
        LockBusy: it was still held at the end of the wait (exit 75).
        AtectlError: the server could not be asked (exit 125).
    """
    token = str(uuid.uuid4())
    wait_until = clock() + wait_s
    has_told = False
    while True:
        taken = _try(connection, terms, token, clock)
        if not isinstance(taken, LockSeen):
            return taken
        left_s = wait_until - clock()
        if left_s <= 0:
            raise busy(terms, taken)
        if not has_told:
            on_busy(busy(terms, taken))
            has_told = True
        sleep(min(poll_s(taken.ttl_s, terms.times.ttl_s, random_unit()), left_s))


def poll_s(left_s: float | None, ttl_s: float, unit: float) -> float:
    """How long to wait before asking for a held lock again, in seconds.

    Args:
        left_s: what is left of the lock's TTL, in seconds; None if it has none.
        ttl_s: the TTL that it would be taken with, in seconds.
        unit: a random number from 0 to 1.
    """
    longest_s = min(_LONGEST_POLL_S, ttl_s / 10)
    if left_s is not None:
        longest_s = min(longest_s, left_s)
    return max(longest_s * (0.5 + unit / 2), _SHORTEST_POLL_S)


def busy(terms: LockTerms, seen: LockSeen) -> LockBusy:
    """The error that says who holds the lock."""
    if seen.holder is None or seen.holder.token != seen.token:
        by = f"with the token {seen.token[:8]}… by a holder that left no record"
    else:
        by = f"by {_described(seen.holder)}"
    if seen.ttl_s is None:
        return LockBusy(
            f"{terms.actor} is held {by}; it has no TTL",
            remedy="it will not free itself: `atectl locks show` tells what it is",
        )
    return LockBusy(f"{terms.actor} is held {by}; TTL left {format_duration(seen.ttl_s)}")


def _described(holder: HolderRecord) -> str:
    parts = [f"{holder.host or 'an unknown host'}, pid {holder.pid or 'unknown'}"]
    if holder.command:
        parts.append(f"`{holder.command}`")
    if holder.since is not None:
        since = datetime.fromtimestamp(holder.since, UTC)
        parts.append(f"since {since:%Y-%m-%dT%H:%M:%SZ}")
    return ", ".join(parts)


def _try(
    connection: "RedisConnection", terms: LockTerms, token: str, clock: Callable[[], float]
) -> HeldLock | LockSeen:
    keys = [terms.key, *companion_keys(terms.key)]
    longest = "" if terms.deadline_s is None else f"{terms.deadline_s:.3f}"
    fields = [word for field in terms.holder.fields().items() for word in field]
    arguments = [token, str(terms.times.ttl_ms), longest, *fields]
    ask = connection.script(source_of("acquire"))
    proved_at = clock()
    is_held, *answer = ask(keys, arguments)
    if is_held:
        [fence] = answer
        return HeldLock(connection, terms, token, fence, proved_at=proved_at, clock=clock)
    present, ttl_ms, holder = answer
    return LockSeen(
        token=present.decode("utf-8", "replace"),
        ttl_s=None if ttl_ms < 0 else ttl_ms / 1000,
        holder=parse_holder(pairs(holder)),
    )
