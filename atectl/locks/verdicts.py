"""Judging an actor lock. The only sign that its holder is alive is its remaining TTL: a holder that
lives renews it. So a lock is looked at twice.

Everything here is pure: looks go in, a verdict comes out. No server and no clock is asked.
"""

import re
from enum import StrEnum
from typing import NamedTuple

from atectl.locks.heartbeat import DEFAULT_TTL_S

_TOKEN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Verdict(StrEnum):
    """What a lock is found to be."""

    RENEWING = "renewing"
    """Its remaining TTL went up between two looks: the holder is alive."""
    HELD = "held"
    """It is too soon to tell whether the holder is alive."""
    FINISHING = "finishing"
    """It is held, but its actor is in no operation: it will probably be released soon."""
    EXPIRING = "expiring"
    """It was not renewed for longer than a holder waits: the holder is gone, or never renews."""
    STUCK = "stuck"
    """It has no TTL, so it never frees itself."""
    FOREIGN = "foreign"
    """Its value is not a token: something else wrote it."""
    STRANDED = "stranded"
    """There is no lock, but the actor is in the middle of an operation."""


STALE = frozenset({Verdict.EXPIRING, Verdict.STUCK, Verdict.FOREIGN, Verdict.STRANDED})
"""Verdicts that somebody should look into."""

NEED_PROBE = frozenset({Verdict.EXPIRING, Verdict.RENEWING})
"""Verdicts that need two looks."""


class Look(NamedTuple):
    """A lock at one moment.

    Attributes:
        token: its value as text; None if the value is not a string.
        ttl_s: the remaining TTL by the server's clock, in seconds; None if it has no TTL.
        sent_at: when the question was sent, in seconds of a local clock that nobody sets.
        received_at: when the answer came, by the same clock. The TTL is of a moment in between.
    """

    token: str | None
    ttl_s: float | None
    sent_at: float
    received_at: float


def is_token(value: str) -> bool:
    """Whether the value is a token as holders of actor locks write them: a UUIDv4."""
    return _TOKEN.fullmatch(value) is not None


def renewal_period_s(lock_ttl_s: float) -> float:
    """The time between two renewals by the holder of a lock with this TTL, in seconds."""
    return lock_ttl_s / 3


def probe_s(lock_ttl_s: float) -> float:
    """The time between two looks that shows a dead holder, in seconds: 1.1 renewal periods."""
    return 1.1 * renewal_period_s(lock_ttl_s)


def tolerance_s(lock_ttl_s: float) -> float:
    """By how many seconds a remaining TTL may seem to go up although it was not renewed."""
    return min(0.5, renewal_period_s(lock_ttl_s) / 2)


def judge(
    first: Look,
    second: Look | None = None,
    *,
    lock_ttl_s: float = DEFAULT_TTL_S,
    is_idle: bool = False,
) -> Verdict:
    """The verdict on a lock, from one look or two.

    Args:
        first: the earlier look.
        second: the later look at the same key; None if there was only one look.
        lock_ttl_s: the TTL that its holder gives it, in seconds.
        is_idle: its actor is known and in no operation, and no holder record says why it is held.
    """
    latest = second or first
    if latest.token is None or not is_token(latest.token):
        return Verdict.FOREIGN
    if latest.ttl_s is None:
        return Verdict.STUCK
    if second is not None and second.token == first.token:
        if is_renewed(first, second, lock_ttl_s):
            return Verdict.RENEWING
        is_long = second.sent_at - first.received_at >= probe_s(lock_ttl_s)
        if is_long and _only_fell(first, second, lock_ttl_s):
            return Verdict.EXPIRING
    return Verdict.FINISHING if is_idle else Verdict.HELD


def is_renewed(first: Look, second: Look, lock_ttl_s: float = DEFAULT_TTL_S) -> bool:
    """Whether a lock with the same token was certainly renewed between two looks.

    At least the time from the first answer to the second question has passed. So however slow the
    server is, a TTL that only fell is never taken for one that went up.
    """
    if second.ttl_s is None:
        return False
    if first.ttl_s is None:
        return True
    least_elapsed_s = second.sent_at - first.received_at
    return second.ttl_s > first.ttl_s - least_elapsed_s + tolerance_s(lock_ttl_s)


def _only_fell(first: Look, second: Look, lock_ttl_s: float) -> bool:
    """Whether the lock was certainly not renewed, however long the two answers took to come."""
    if first.ttl_s is None or second.ttl_s is None:
        return False
    most_elapsed_s = second.received_at - first.sent_at
    return second.ttl_s <= first.ttl_s - most_elapsed_s + tolerance_s(lock_ttl_s)


class Watch:
    """Verdicts on locks that are looked at again and again.

    Each look is compared with the last one at which the lock was renewed, or with the first. So
    once a verdict is reached, it stays until something changes.
    """

    def __init__(self, lock_ttl_s: float = DEFAULT_TTL_S) -> None:
        self._lock_ttl_s = lock_ttl_s
        self._since: dict[str, Look] = {}
        self._renewing: set[str] = set()

    def judge(self, key: str, look: Look, *, is_idle: bool = False) -> Verdict:
        """The verdict on a lock, from this look and the earlier ones."""
        first = self._since.setdefault(key, look)
        if first.token != look.token:
            self._since[key] = first = look
            self._renewing.discard(key)
        verdict = judge(first, look, lock_ttl_s=self._lock_ttl_s, is_idle=is_idle)
        if verdict is Verdict.RENEWING:
            self._since[key] = look
            self._renewing.add(key)
        elif verdict is Verdict.EXPIRING:
            self._renewing.discard(key)
        elif key in self._renewing and verdict in (Verdict.HELD, Verdict.FINISHING):
            return Verdict.RENEWING
        return verdict

    def keep(self, keys: set[str]) -> None:
        """Forget all locks but those with these keys."""
        self._since = {key: look for key, look in self._since.items() if key in keys}
        self._renewing &= keys
