"""What a host process has told a server, for the case that the server loses it."""

import os
import time
from collections.abc import Callable, Iterable

from atectl.accounting import DAY_S, PERIOD_DAYS
from atectl.ledger_store.records import HISTORY_LEASES, LeaseRecord
from atectl.ledger_store.redis.keys import FORGET_AFTER_S

KEPT_S = 60.0
"""How long leases that have ended are kept. A server that stores once a second loses less."""


class Session:
    """One host process, as a server's ledger knows it, over all its connections.

    What it tells is numbered. So the server takes no older state after a newer one, and sees by the
    last number that it knows, and the last that the host knows it took, whether it lost something.
    """

    def __init__(self) -> None:
        self.id = os.urandom(8).hex()
        self.sequence = 0
        self.acknowledged = 0
        """The last number that the server is known to have taken, and to have still."""
        self.sent = Sent()
        self._lost: dict[str, LeaseRecord] = {}

    def next(self) -> int:
        """The number of what is told next."""
        self.sequence += 1
        return self.sequence

    def take(self, leases: Iterable[LeaseRecord]) -> None:
        """The server has taken these leases as the last number."""
        told = list(leases)
        self.acknowledged = self.sequence
        self.sent.add(told)
        for lease in told:
            self._lost.pop(lease.id, None)

    def lose(self, known: int) -> None:
        """The server has lost something: it knows of no later number than this one."""
        self.acknowledged = known
        self._lost |= {lease.id: lease for lease in self.sent.all()}

    @property
    def lost(self) -> list[LeaseRecord]:
        """What the server may have lost and was not told again."""
        return list(self._lost.values())

    def forget_lost(self) -> None:
        """What the server has lost waits elsewhere, to be told again."""
        self._lost.clear()


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
        """All of them, in the order in which they were told.

        Of a process that was silent for long the server forgets all, and may have forgotten its
        ended leases in favour of newer ones: told again, they would count twice.
        """
        now = self._clock()
        return [
            lease
            for at, lease in self._leases.values()
            if lease.finished_at is None or now - at <= FORGET_AFTER_S
        ]

    def earliest(self, leases: Iterable[LeaseRecord]) -> float:
        """The first moment that something new of these leases can be of, in seconds since 1970."""
        moments = []
        for lease in leases:
            moments += [lease.started_at, lease.updated_at]
            if (before := self._leases.get(lease.id)) is not None:
                moments.append(before[1].updated_at)
        return max(min(moments), max(moments) - PERIOD_DAYS * DAY_S)
