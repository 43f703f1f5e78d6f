"""Locks with the memory of the principals they are held for, from the stored ledger."""

from collections.abc import Iterable, Iterator
from contextlib import closing
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


def charged(locks: Iterable[Lock], ledger: str | None = None) -> Iterator[ChargedLock]:
    """The locks, in the same order, with the memory of their principals.

    The ledger is opened when the first lock with a principal comes. If no ledger was named and
    the usual one is missing or unusable, it counts as empty.

    Raises:
        LedgerError: `ledger` names one that cannot be read (exit 125).
    """
    memory: dict[str, tuple[int, int]] | None = None
    for lock in locks:
        principal = lock.holder.principal if lock.holder is not None else None
        if principal is None:
            yield ChargedLock(lock)
            continue
        if memory is None:
            memory = _memory_by_principal(ledger)
        yield ChargedLock(lock, principal, *memory.get(principal, (None, None)))


def _memory_by_principal(ledger: str | None) -> dict[str, tuple[int, int]]:
    try:
        if config.ledger_path(ledger) is None:
            return {}
        with closing(open_for_reading(ledger)) as store:
            return {x.principal: (x.current_bytes, x.peak_bytes) for x in store.accounts()}
    except LedgerError:
        if ledger is not None:
            raise
        return {}
