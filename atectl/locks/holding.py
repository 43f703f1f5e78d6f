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

import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from atectl.errors import AtectlError
from atectl.locks.errors import LockBusy, LockLost, OtherFormHeld
from atectl.locks.heartbeat import Heartbeat, LockTimes
from atectl.locks.holder_record import Holder, HolderRecord, pairs, parse_holder
from atectl.locks.keys import OtherForms, companion_keys
from atectl.locks.other_forms import refuse_others
from atectl.locks.patience import Patience, outage_poll_s, poll_s
from atectl.locks.scripts import source_of
from atectl.redis.errors import PASSING, RedisSlotMoving, nonsense
from atectl.system.clock import boottime
from atectl.units import format_duration

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

_RELEASES = 2
"""How often a release is sent if there is no answer."""

_SHORTEST_TIMEOUT_S = 0.25
"""A busy machine may need this long to connect."""

LEARN_EVERY_S = 60.0
"""How often the holder of a lock learns which servers there are, to have them in an outage."""

Renewed = Callable[[float], None]


def _warn_nobody(_warning: AtectlError) -> None:
    """The callback for a holder that nobody wants to be warned."""


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
        others: the other forms that the key can have.
        is_strict: refuse it while a lock of another form is held.
    """

    actor: str
    key: str
    holder: Holder
    times: LockTimes
    deadline_s: float | None
    others: OtherForms = OtherForms()
    is_strict: bool = False


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
        self._clock = clock
        self._learned_at = proved_at
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
        except RedisSlotMoving:
            answer = self._renew_alone(self._own)
        except AtectlError:
            # A new connection finds out again which server is the primary.
            self._forget_own_connection()
            raise
        if answer not in (0, 1, -1):
            raise nonsense(self._connection.address, "the script that renews a lock")
        if answer == 0:
            raise LockLost("the lock is gone: it was released by force, or the server forgot it")
        if answer != 1:
            raise LockLost("the lock is somebody else's now")
        self._learn(self._own)

    def _renew_alone(self, connection: "RedisConnection | None") -> Any:
        """Renew the lock without its holder record.

        While a slot is being moved, a script with a key that is there and one that is not is
        refused. One with a single key works on either side. The record is there for people.
        """
        if connection is None:
            return None
        ttl_ms = str(self.terms.times.ttl_ms)
        answer = connection.script(self._renew_source)(self._keys[:1], [self.token, ttl_ms])
        with suppress(AtectlError):
            connection.client.execute_command("PEXPIRE", self._keys[1], ttl_ms)
        return answer

    def _learn(self, connection: "RedisConnection | None") -> None:
        """Learn of new servers now and then: in an outage, those known at first may all be gone."""
        now = self._clock()
        if connection is not None and now - self._learned_at >= LEARN_EVERY_S:
            self._learned_at = now
            with suppress(AtectlError):
                connection.look_anew()

    def _release(self) -> None:
        # The heartbeat's connection is in use. The other may have been idle for too long, and so be
        # cut off by the network.
        connection = self._own or self._connection
        for attempt in range(_RELEASES):
            try:
                answer = self._ask_release(connection)
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

    def _ask_release(self, connection: "RedisConnection") -> Any:
        release = connection.script(self._release_source)
        try:
            return release(self._keys, [self.token])
        except RedisSlotMoving:
            # As for a renewal: the record alone expires by itself.
            return release(self._keys[:1], [self.token])

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
    on_warning: Callable[[AtectlError], None] = _warn_nobody,
    clock: Callable[[], float] = boottime,
) -> HeldLock:
    """Take a lock that is free.

    Args:
        connection: where the lock is.
        terms: how it is taken.
        on_warning: told if a lock with another form of the actor's key is held, too.
        clock: seconds of a clock that nobody sets and that counts while the machine sleeps.

    Raises:
        LockBusy: somebody else holds it; or one of another form, if the terms are strict (exit 75).
        AtectlError: the server could not be asked (exit 125). If it has given the lock all the
            same, the lock frees itself within its TTL.
    """
    token = str(uuid.uuid4())
    taken = _try(connection, terms, token, clock)
    if isinstance(taken, LockSeen):
        raise busy(terms, taken)
    return _alone(connection, taken, on_warning)


def acquire_within(
    connection: "RedisConnection",
    terms: LockTerms,
    patience: Patience,
    *,
    on_warning: Callable[[AtectlError], None] = _warn_nobody,
    clock: Callable[[], float] = boottime,
) -> HeldLock:
    """Take a lock. If it is held, or the server does not answer, wait.

    Args:
        connection: where the lock is.
        terms: how it is taken.
        patience: how long to wait.
        on_warning: as for `acquire`.
        clock: seconds of a clock that nobody sets and that counts while the machine sleeps.

    Raises:
        LockBusy: it was still held at the end of the wait (exit 75).
        AtectlError: the server could not be asked, to the end of the wait (exit 125).
    """
    token = str(uuid.uuid4())
    while True:
        try:
            taken = _try(connection, terms, token, clock)
            if not isinstance(taken, LockSeen):
                return _alone(connection, taken, on_warning)
        except PASSING as failure:
            patience.wait(failure, outage_poll_s)
        except OtherFormHeld as rival:
            patience.wait(rival, partial(poll_s, None, terms.times.ttl_s))
        else:
            poll = partial(poll_s, taken.ttl_s, terms.times.ttl_s)
            patience.wait(busy(terms, taken), poll)


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


def _alone(
    connection: "RedisConnection", lock: HeldLock, on_warning: Callable[[AtectlError], None]
) -> HeldLock:
    """The lock that was taken, after looking whether one of another form is held, too.

    The lock is taken first: so of two who take different forms, at least one sees the other.

    Raises:
        OtherFormHeld: one is held, and the terms are strict; the lock is released (exit 75).
        AtectlError: that cannot be found out, and the terms are strict; the lock is released (exit
            125).
    """
    try:
        refuse_others(connection, lock.terms.actor, lock.terms.others)
    except AtectlError as warning:
        if not lock.terms.is_strict:
            on_warning(warning)
            return lock
        with suppress(AtectlError):
            lock.release()
        raise
    return lock


def _try(
    connection: "RedisConnection", terms: LockTerms, token: str, clock: Callable[[], float]
) -> HeldLock | LockSeen:
    keys = [terms.key, *companion_keys(terms.key)]
    longest = "" if terms.deadline_s is None else f"{terms.deadline_s:.3f}"
    fields = [word for field in terms.holder.fields().items() for word in field]
    arguments = [token, str(terms.times.ttl_ms), longest, *fields]
    ask = connection.script(source_of("acquire"))
    proved_at = clock()
    answer = ask(keys, arguments)
    match answer:
        case [1, int(fence)]:
            return HeldLock(connection, terms, token, fence, proved_at=proved_at, clock=clock)
        case [0, bytes(present), int(ttl_ms), list(holder)] if len(holder) % 2 == 0:
            return _seen(present, ttl_ms, holder)
    raise nonsense(connection.address, "the script that takes a lock")


def _seen(present: bytes, ttl_ms: int, holder: list[bytes]) -> LockSeen:
    return LockSeen(
        token=present.decode("utf-8", "replace"),
        ttl_s=None if ttl_ms < 0 else ttl_ms / 1000,
        holder=parse_holder(pairs(holder)),
    )
