"""Judging an actor lock. Its remaining TTL is the only sign of life, so it is looked at twice.

Nothing here asks a server or a clock: looks go in, a verdict comes out.
"""

import re
from enum import StrEnum
from typing import NamedTuple

from atectl.locks.heartbeat import DEFAULT_TTL_S

_TOKEN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Verdict(StrEnum):
    """What a lock is found to be."""

    RENEWING = "renewing"
    """Its remaining TTL went up: the holder is alive."""
    HELD = "held"
    """Too soon to tell."""
    FINISHING = "finishing"
    """Held as far as is known, but its actor is in no operation: about to be released."""
    EXPIRING = "expiring"
    """Not renewed for longer than a holder waits: gone, or one that never renews."""
    STUCK = "stuck"
    """It has no TTL, and so never frees itself."""
    FOREIGN = "foreign"
    """Its value is no token."""
    STRANDED = "stranded"
    """No lock at all, but the actor is in the middle of an operation."""


STALE = frozenset({Verdict.EXPIRING, Verdict.STUCK, Verdict.FOREIGN, Verdict.STRANDED})
"""Verdicts that ask for somebody to look."""

NEED_PROBE = frozenset({Verdict.EXPIRING, Verdict.RENEWING})
"""Verdicts that two looks alone can lead to."""


class Look(NamedTuple):
    """A lock at one moment.

    `token` is its value as text, None if that is no string. `ttl_s` is the remaining TTL by the
    server's clock, None if it has none. The server was asked between `sent_at` and `received_at`,
    in seconds of one local clock that nothing sets.
    """

    token: str | None
    ttl_s: float | None
    sent_at: float
    received_at: float


def is_token(value: str) -> bool:
    """Whether it is a token that these systems write: a UUIDv4."""
    return _TOKEN.fullmatch(value) is not None


def renewal_period_s(lock_ttl_s: float) -> float:
    """How often the holder of a lock with this TTL renews it."""
    return lock_ttl_s / 3


def probe_s(lock_ttl_s: float) -> float:
    """How long to wait between two looks to tell a dead holder: a renewal and a tenth."""
    return 1.1 * renewal_period_s(lock_ttl_s)


def tolerance_s(lock_ttl_s: float) -> float:
    """How far a remaining TTL may seem to go up without having been renewed."""
    return min(0.5, renewal_period_s(lock_ttl_s) / 2)


def judge(
    first: Look,
    second: Look | None = None,
    *,
    lock_ttl_s: float = DEFAULT_TTL_S,
    is_idle: bool = False,
) -> Verdict:
    """What the lock is, from one look or two.

    Args:
        first: the earlier look.
        second: the later look, of the same key.
        lock_ttl_s: the TTL that its holder gives it, in seconds.
        is_idle: its actor is known, in no operation, and nothing else tells why it is held.
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
    """Whether a lock whose token stayed was renewed between two looks, for certain.

    Between them at least the time from one answer to the next question has passed, so a TTL
    that only fell is never taken for one that went up, however slow the server is.
    """
    if second.ttl_s is None:
        return False
    if first.ttl_s is None:
        return True
    least_elapsed_s = second.sent_at - first.received_at
    return second.ttl_s > first.ttl_s - least_elapsed_s + tolerance_s(lock_ttl_s)


def _only_fell(first: Look, second: Look, lock_ttl_s: float) -> bool:
    """Whether no renewal can hide in the time that the two answers took to come."""
    if first.ttl_s is None or second.ttl_s is None:
        return False
    most_elapsed_s = second.received_at - first.sent_at
    return second.ttl_s <= first.ttl_s - most_elapsed_s + tolerance_s(lock_ttl_s)


class Watch:
    """Verdicts on locks that are looked at again and again.

    A lock is judged against the look since which it was not renewed, so that a verdict stands
    once its probe is over.
    """

    def __init__(self, lock_ttl_s: float = DEFAULT_TTL_S) -> None:
        self._lock_ttl_s = lock_ttl_s
        self._since: dict[str, Look] = {}
        self._renewing: set[str] = set()

    def judge(self, key: str, look: Look, *, is_idle: bool = False) -> Verdict:
        """What the lock is, given this look and the earlier ones."""
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
        """Forget every lock but these."""
        self._since = {key: look for key, look in self._since.items() if key in keys}
        self._renewing &= keys
