"""Locks with the memory of the principals they are held for, from the stored ledger."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import cached_property
from typing import NamedTuple

from atectl import config
from atectl.errors import LedgerError
from atectl.ledger_store.opening import open_for_reading
from atectl.locks.lock import Lock


class ChargedLock(NamedTuple):
    """A lock, with the memory of the principal in its holder record.

    Attributes:
        lock: the lock.
        principal: for whom it is held; None if no record says so.
        current_bytes: the memory that the principal holds now; None if the ledger does not know.
        peak_bytes: the maximum that one of its leases was charged; None likewise.
    """

    lock: Lock
    principal: str | None = None
    current_bytes: int | None = None
    peak_bytes: int | None = None

    @property
    def actor_status(self) -> str | None:
        """The state of the lock's actor; None if it has no record, or there are several actors."""
        actors = self.lock.actors
        return actors[0].record.status if len(actors) == 1 else None

    @property
    def worker(self) -> str | None:
        """The worker of the lock's one actor, as `namespace/pod`; None if that is not known."""
        actors = self.lock.actors
        return (actors[0].record.worker or None) if len(actors) == 1 else None


class Charges:
    """The memory of principals, as a stored ledger tells it. It is read when it is first needed.

    Args:
        ledger: names a ledger; None for the usual one, which counts as empty if it is missing or
            unusable.

    Attributes:
        fault: why the ledger that was named could not be read; None if it could, or was not needed.
    """

    def __init__(self, ledger: str | None = None) -> None:
        self.fault: LedgerError | None = None
        self._ledger = ledger

    def of(self, principal: str) -> tuple[int | None, int | None]:
        """The memory that a principal holds now, and the maximum of one of its leases."""
        return self._by_principal.get(principal, (None, None))

    @cached_property
    def _by_principal(self) -> dict[str, tuple[int, int]]:
        try:
            if config.ledger_place(self._ledger) is None:
                return {}
            with closing(open_for_reading(self._ledger)) as store:
                return {x.principal: (x.current_bytes, x.peak_bytes) for x in store.accounts()}
        except LedgerError as fault:
            if self._ledger is not None:
                self.fault = fault
            return {}


def charged(locks: Iterable[Lock], charges: Charges) -> Iterator[ChargedLock]:
    """The locks, in the same order, with the memory of their principals.

    A ledger that cannot be read leaves that unknown: then `charges` has the fault.
    """
    for lock in locks:
        principal = lock.holder.principal if lock.holder is not None else None
        if principal is None:
            yield ChargedLock(lock)
        else:
            yield ChargedLock(lock, principal, *charges.of(principal))
