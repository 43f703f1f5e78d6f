"""The ledger of one process that runs leases: its accounts, and the leases they come from."""

import threading
from collections import deque
from typing import Protocol

from atectl.accounting import MAX_PRINCIPALS, Account, Ledger, Observation, PeakRecorder
from atectl.ledger_store.records import LeaseRecord


class OpenLease(Protocol):
    """A lease, as the ledger reads it; from any thread, and while the ledger is locked."""

    @property
    def id(self) -> str: ...

    def observation(self) -> Observation:
        """What its principal's account is to count of it."""
        ...

    def record(self) -> LeaseRecord:
        """The lease as it is listed, with the same observation."""
        ...


class LeaseBook(PeakRecorder, Protocol):
    """Where a lease is listed, and what it uses recorded."""

    def open(self, lease: OpenLease) -> None: ...
    def close(self, lease: OpenLease) -> None: ...
    def amend(self, lease: OpenLease) -> None: ...


class ProcessLedger(Ledger):
    """What is true of this process: everything that shows or stores its leases reads it here.

    A lease is opened as it begins to run, and closed once, as it ends. Whatever looks at the
    running ones or at the accounts brings the accounts up to date.

    Args:
        ended_kept: how many of the leases that ended last are kept until they are taken.
        capacity: the most accounts it holds.
        host_name: the name of this host in the records of its leases; None for the machine's.
    """

    def __init__(
        self, ended_kept: int = 0, capacity: int = MAX_PRINCIPALS, host_name: str | None = None
    ) -> None:
        super().__init__(capacity)
        self._host_name = host_name
        self._running: dict[str, OpenLease] = {}
        self._ended: deque[LeaseRecord] = deque(maxlen=ended_kept)
        # One look at a time: an older one that came in after a newer would count a piece twice.
        self._looking = threading.Lock()

    def open(self, lease: OpenLease) -> None:
        """A lease begins to run."""
        self._running[lease.id] = lease

    def close(self, lease: OpenLease) -> None:
        """A lease has ended."""
        with self._looking:
            del self._running[lease.id]
            self.observe(lease.observation(), is_last=True)
        self.amend(lease)

    def amend(self, lease: OpenLease) -> None:
        """A lease that has ended is to be listed as it is now; what it used was counted."""
        if self._ended.maxlen:
            self._ended.append(self._record(lease))

    def running(self) -> list[LeaseRecord]:
        """The leases that run, as they are now, in the order in which they began."""
        with self._looking:
            found = [self._record(lease) for lease in list(self._running.values())]
            for record in found:
                self.observe(record.observation)
        return found

    def _record(self, lease: OpenLease) -> LeaseRecord:
        record = lease.record()
        return record if self._host_name is None else record._replace(host=self._host_name)

    def take_ended(self) -> list[LeaseRecord]:
        """The leases that have ended since this was last asked, in the order in which they did."""
        taken = []
        while self._ended:
            taken.append(self._ended.popleft())
        return taken

    def account(self, principal: str) -> Account | None:
        """The principal's account now, or None if the ledger keeps none."""
        self.running()
        return super().account(principal)

    def accounts(self) -> list[Account]:
        """Every account now, the highest peak first."""
        self.running()
        return super().accounts()
