"""The limiter of one lease: it sees every growth, holds the quota, and records the peak."""

import time
from collections.abc import Callable
from typing import NamedTuple

from atectl.accounting import Ledger, Principal, Quota


class Reading(NamedTuple):
    """What a meter shows at one moment. Sizes in bytes, of all the lease's memories together.

    `grown_bytes` is the most that was held over the baseline: what the lease is charged.
    `peak_bytes` is the absolute high-water mark.
    """

    current_bytes: int
    peak_bytes: int
    grown_bytes: int
    refused_growths: int
    largest_refused_bytes: int
    byte_seconds: float


class Meter:
    """The limiter of one lease: told of every growth, it allows or refuses, and records.

    A growth is asked for with `admit` and, once the pages are there, counted with `charge`:
    what the system could not map is never charged. One thread grows a lease and any may read
    it, so there is no lock on the way of a growth: what belongs together is one tuple.

    Args:
        principal: who is charged.
        quota: what the lease may hold.
        ledger: where peaks are recorded as they rise.
        clock: seconds that never go back; byte-seconds are integrated over it.
    """

    def __init__(
        self,
        principal: Principal,
        quota: Quota,
        ledger: Ledger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._held = (0, 0.0, clock())  # bytes, byte-seconds so far, and until when
        self.retarget(principal, quota)

    def retarget(self, principal: Principal, quota: Quota) -> None:
        """Begin a new lease on the same memories: what they hold now is its baseline."""
        self.principal = principal
        self.quota = quota
        self._limit_bytes = quota.memory_bytes
        self._baseline_bytes = self._peak_bytes = self._held[0]
        self._held = (self._baseline_bytes, 0.0, self._clock())
        self._refused_growths = 0
        self._largest_refused_bytes = 0

    def admit(self, old_bytes: int, new_bytes: int) -> bool:
        """Whether one memory may go from `old_bytes` to `new_bytes`; a refusal is counted.

        The quota holds over the sum of the lease's memories. A new memory has `old_bytes` 0.
        """
        asked = new_bytes - old_bytes
        if self._held[0] + asked <= self._limit_bytes:
            return True
        self._largest_refused_bytes = max(self._largest_refused_bytes, asked)
        self._refused_growths += 1
        return False

    def charge(self, old_bytes: int, new_bytes: int) -> None:
        """Count a growth that was admitted and has taken place."""
        before, byte_seconds, since = self._held
        now = self._clock()
        held = before + new_bytes - old_bytes
        self._held = (held, byte_seconds + before * (now - since), now)
        if held > self._peak_bytes:
            self._peak_bytes = held
            self._ledger.record_peak(self.principal, held - self._baseline_bytes)

    def release(self, held_bytes: int) -> None:
        """Count that a memory of `held_bytes` is gone."""
        self.charge(held_bytes, 0)

    def read(self) -> Reading:
        """What the meter shows now."""
        held, byte_seconds, since = self._held
        return Reading(
            held,
            self._peak_bytes,
            self._peak_bytes - self._baseline_bytes,
            self._refused_growths,
            self._largest_refused_bytes,
            byte_seconds + held * (self._clock() - since),
        )
