"""Waiting until a lock is free: what `--wait` does, which deletes nothing."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from atectl.locks.errors import LockRenewing, UnknownLock
from atectl.locks.seen import SeenLock, see_lock
from atectl.locks.verdicts import is_renewed
from atectl.redis.errors import PASSING
from atectl.system.clock import boottime
from atectl.units import format_duration

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

MAX_WAIT_S = 120.0
"""The longest wait, whatever TTL the lock has."""

_AFTER_TTL_S = 1.0
"""How long to go on after the TTL should have run out."""

_LOOK_EVERY_S = 0.5


def wait_until_free(
    connection: "RedisConnection",
    seen: SeenLock,
    *,
    on_wait: Callable[[float], object],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = boottime,
) -> bool:
    """Wait until a lock frees itself. True: it is free. False: another holder has it already.

    Args:
        connection: where the lock is.
        seen: the lock as it was last seen.
        on_wait: told before each look for how many seconds the wait may still last.
        sleep: waits for so many seconds.
        clock: seconds of a clock that nobody sets and that counts time of suspension.

    Raises:
        LockRenewing: the lock has no TTL, or is still held at the end of the wait (exit 1).
        AtectlError: the server cannot be asked (exit 125).
    """
    if seen.look.ttl_s is None:
        raise LockRenewing(
            f"{seen.key} has no TTL: waiting helps nothing",
            remedy="`atectl locks release` without --wait deletes it",
        )
    patience_s = min(seen.look.ttl_s + _AFTER_TTL_S, MAX_WAIT_S)
    ends_at = clock() + patience_s
    while (left_s := ends_at - clock()) > 0:
        on_wait(left_s)
        with suppress(*PASSING):  # the server may answer again before the wait is over
            latest = _latest(connection, seen, clock)
            if latest is None or latest.token != seen.token:
                return latest is None
        sleep(min(left_s, _LOOK_EVERY_S))
    latest = _latest(connection, seen, clock)
    if latest is None or latest.token != seen.token:
        return latest is None
    raise _still_held(seen, latest, patience_s)


def _latest(
    connection: "RedisConnection", seen: SeenLock, clock: Callable[[], float]
) -> SeenLock | None:
    """The lock as it is now; None if it is free."""
    try:
        return see_lock(connection, seen.key, clock)
    except UnknownLock:
        return None


def _still_held(first: SeenLock, latest: SeenLock, waited_s: float) -> LockRenewing:
    still = f"{first.key} is still held after {format_duration(waited_s)}"
    if latest.look.ttl_s is None or is_renewed(first.look, latest.look):
        return LockRenewing(f"{still}: its holder renews it")
    left = format_duration(latest.look.ttl_s)
    return LockRenewing(
        f"{still}; it frees itself in {left} unless renewed",
        remedy="wait again, or release it with `atectl locks release`",
    )
