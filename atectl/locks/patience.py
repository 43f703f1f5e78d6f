"""Waiting for a lock that is held, or for a server that does not answer, until a wait is over."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from atectl.errors import AtectlError
from atectl.redis.errors import PASSING
from atectl.system.clock import boottime

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

OUTAGE_POLL_S = 0.5
"""How long to wait at most before a server that failed is asked again."""

_LONGEST_POLL_S = 1.0
_SHORTEST_POLL_S = 0.02


class Patience:
    """How long one waits, and what is done meanwhile.

    Args:
        wait_s: the longest wait, in seconds, from now on.
        sleep: waits for so many seconds. It may raise an exception to give up.
        on_wait: told what is waited for: once of each kind.
        clock: seconds of a clock that nobody sets and that counts while the machine sleeps.
        random_unit: returns random numbers from 0 to 1, so that several who wait do not all ask at
            the same moment.
    """

    def __init__(
        self,
        wait_s: float,
        *,
        sleep: Callable[[float], None],
        on_wait: Callable[[AtectlError], None],
        clock: Callable[[], float] = boottime,
        random_unit: Callable[[], float] = random.random,
    ) -> None:
        self._sleep = sleep
        self._on_wait = on_wait
        self._clock = clock
        self._random_unit = random_unit
        self._ends_at = clock() + wait_s
        self._told: set[type[AtectlError]] = set()

    def wait(self, refusal: AtectlError, poll: Callable[[float], float]) -> None:
        """Wait for a moment.

        Args:
            refusal: what is waited for to change.
            poll: turns a random number from 0 to 1 into how long the moment is, in seconds.

        Raises:
            AtectlError: `refusal`, as the wait is over.
        """
        left_s = self._ends_at - self._clock()
        if left_s <= 0:
            raise refusal
        if type(refusal) not in self._told:
            self._told.add(type(refusal))
            self._on_wait(refusal)
        self._sleep(min(poll(self._random_unit()), left_s))


def opened(
    open_connection: "Callable[[], RedisConnection]", patience: Patience | None
) -> "RedisConnection":
    """A connection, which is waited for as long as the patience lasts; None for none.

    Raises:
        RedisFailure: no usable server answers (exit 125), or what connecting raised otherwise.
    """
    while True:
        try:
            return open_connection()
        except PASSING as failure:
            if patience is None:
                raise
            patience.wait(failure, outage_poll_s)


def outage_poll_s(unit: float) -> float:
    """How long to wait before a server that failed is asked again, by a random number."""
    return OUTAGE_POLL_S * (0.5 + unit / 2)


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
