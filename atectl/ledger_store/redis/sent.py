"""What a host process has told a server, for the case that the server loses it."""

import time
from collections.abc import Callable, Iterable

from atectl.accounting import DAY_S, PERIOD_DAYS
from atectl.ledger_store.records import HISTORY_LEASES, LeaseRecord

KEPT_S = 60.0
"""How long leases that have ended are kept. A server that stores once a second loses less."""


class Sent:
    """The last state of unfinished leases, and of those that have ended in the last minute.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._leases: dict[str, tuple[float, LeaseRecord]] = {}

    def add(self, leases: Iterable[LeaseRecord]) -> None:
        """The server has taken the state of these leases."""
        now = self._clock()
        for lease in leases:
            self._leases.pop(lease.id, None)  # so that it comes last
            self._leases[lease.id] = now, lease
        for id_, (at, lease) in list(self._leases.items()):
            is_old = now - at > KEPT_S and lease.finished_at is not None
            if not is_old and len(self._leases) <= HISTORY_LEASES:
                break
            del self._leases[id_]

    def all(self) -> list[LeaseRecord]:
        """All of them, in the order in which they were told."""
        return [lease for _, lease in self._leases.values()]

    def earliest(self, leases: Iterable[LeaseRecord]) -> float:
        """The first moment that something new of these leases can be of, in seconds since 1970."""
        moments = []
        for lease in leases:
            moments += [lease.started_at, lease.updated_at]
            if (before := self._leases.get(lease.id)) is not None:
                moments.append(before[1].updated_at)
        return max(min(moments), max(moments) - PERIOD_DAYS * DAY_S)
