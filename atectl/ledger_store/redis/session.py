"""What a host process has told a server, for the case that the server loses it."""

import os
import time
from collections.abc import Callable, Iterable

from atectl.accounting import DAY_S, PERIOD_DAYS
from atectl.ledger_store.records import HISTORY_LEASES, LeaseRecord

KEPT_S = 60.0
"""How long leases that have ended are kept. A server that stores once a second loses less."""


class Session:
    """One host process, as a server's ledger knows it, over all its connections.

    What it tells is numbered. So the server takes no older state after a newer one, and the host
    sees by the last number that the server knows whether the server has lost something.
    """

    def __init__(self) -> None:
        self.id = os.urandom(8).hex()
        self.sequence = 0
        self.sent = Sent()
        self._acknowledged = 0
        self._losses = 0
        self._made_good = 0

    def next(self) -> int:
        """The number of what is told next."""
        self.sequence += 1
        return self.sequence

    def acknowledged(self, leases: Iterable[LeaseRecord], known: int) -> None:
        """The server has taken these leases as the last number; before, it knew of `known`."""
        if known < self._acknowledged:
            self._losses += 1
        self._acknowledged = self.sequence
        self.sent.add(leases)

    def make_good(self, tell: Callable[[list[LeaseRecord]], None]) -> None:
        """If the server has lost something, tell it all again; the next time, if that fails."""
        losses = self._losses
        if losses > self._made_good:
            tell(self.sent.all())
            self._made_good = losses


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
