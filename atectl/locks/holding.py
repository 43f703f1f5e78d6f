"""Taking an actor's lock, keeping it while work is done, and letting go of it.

The lock is a key whose value is the holder's token, a UUIDv4, as the other systems that use it
have it. Beside it stand the holder record, with the same TTL, and the fence: a number that rises
with every holder and never expires, so that a resource can refuse whoever comes with an older one.

The server must not forget what it has answered. One that restarts without its data, or a replica
that is promoted before it had the lock, gives the lock away a second time: the first holder then
hears at its next renewal that it is not the holder, and until that instant both may be at work. A
fence forgotten in the same way begins again.
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
"""How often the lock is let go of if there is no answer."""

_SHORTEST_TIMEOUT_S = 0.25
"""A busy machine needs this long to connect."""

_LONGEST_POLL_S = 1.0
_SHORTEST_POLL_S = 0.02

Renewed = Callable[[float], None]


def _tell_nobody(_kill_by: float) -> None:
    """What a renewal leads to where nothing else keeps the time."""


class LockTerms(NamedTuple):
    """On what terms a lock is taken. `deadline_s` is the work's, None for none."""

    actor: str
    key: str
    holder: Holder
    times: LockTimes
    deadline_s: float | None


class LockSeen(NamedTuple):
    """A lock that somebody else holds. `ttl_s` is None if it has no TTL."""

    token: str
    ttl_s: float | None
    holder: HolderRecord | None


class HeldLock:
    """A lock that was taken. It is kept from `keep` on, and let go of by `release`."""

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
        # Read now: an upgrade of atectl may replace the files while the lock is held.
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
        """Renew the lock from now on, and tell `on_renewed` by when the work has to be dead."""
        self._on_renewed = on_renewed
        self._heartbeat.start()

    def look(self) -> LockLost | None:
        """The loss of the lock, if it is lost. Asks no server."""
        return self._heartbeat.look()

    @property
    def kill_by(self) -> float:
        """The instant of CLOCK_BOOTTIME by which the work has to be dead."""
        return self._heartbeat.kill_by

    def release(self) -> None:
        """Let go of the lock, once the heartbeat has ended. The work has to have ended before.

        Raises:
            LockLost: it was lost, and nothing was deleted (exit 125).
            AtectlError: the server did not say; the lock frees itself within its TTL.
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
        """Ask once, on the heartbeat's own connection, which is made when it is needed first."""
        times = self.terms.times
        try:
            if self._own is None:
                # An answer that does not come must leave time for another question.
                timeout_s = max(times.retry_s, _SHORTEST_TIMEOUT_S)
                self._own = self._connection.fresh(timeout_s=timeout_s, retries=0)
            renew = self._own.script(self._renew_source)
            answer = renew(self._keys, [self.token, str(times.ttl_ms)])
        except AtectlError:
            # Another connection finds out anew who the primary is.
            self._forget_own_connection()
            raise
        if answer == 0:
            raise LockLost("the lock is gone: it was released by force, or the server forgot it")
        if answer != 1:
            raise LockLost("the lock is somebody else's now")

    def _release(self) -> None:
        # The heartbeat's is in use; the other may have been idle for longer than a network allows.
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
                # After an attempt without an answer, "not yours" is what having succeeded is like.
                if answer == 1 or attempt:
                    return
                raise LockLost("when the work had ended, its lock was no longer its own")

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
        AtectlError: the server could not be asked (exit 125). If it had given the lock all the
            same, that frees itself within its TTL.
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
    """Take a lock, and wait for one that is held.

    Args:
        wait_s: how long to wait at most, in seconds.
        sleep: waits for so many seconds; may raise to give up.
        on_busy: told once that there is something to wait for.
        random_unit: from 0 to 1, to keep those who wait from asking all at once.

    Raises:
        LockBusy: it was held to the end (exit 75).
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
    """How long to wait before a held lock is asked for again.

    Args:
        left_s: the lock's remaining TTL, None if it has none.
        ttl_s: the TTL it would be taken with.
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
