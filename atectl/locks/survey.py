"""What `locks ls` finds out: locks are listed, looked at again, filtered, charged and sorted."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from atectl.locks.charged import ChargedLock, Charges, charged
from atectl.locks.listing import Probe, Selection, list_locks, second_look
from atectl.locks.lock import Lock
from atectl.locks.sorting import SortOrder, sort_locks
from atectl.locks.verdicts import STALE, Verdict
from atectl.redis.reading import Gap, Reading
from atectl.system.clock import boottime

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection


class Listing(NamedTuple):
    """What is to be listed, and how.

    Attributes:
        selection: which locks to list.
        lock_ttl_s: the TTL that holders give their locks, in seconds.
        probe: looks at the locks a second time; None for one look.
        is_stale_only: leave out locks that nobody needs to look into.
        order: how the rows are sorted; None for the order in which they are found.
        limit: the maximum number of rows; None for all.
        ledger: where the memory of holders is looked up; None for the usual place.
    """

    selection: Selection
    lock_ttl_s: float
    probe: Probe | None = None
    is_stale_only: bool = False
    order: SortOrder | None = None
    limit: int | None = None
    ledger: str | None = None


class Rows:
    """The rows of a listing, to be iterated once. Without an order, they come as they are found.

    Attributes:
        verdicts: after the last row, the verdicts of all rows, including those beyond the limit.
        looked_at: after the last row, the number of locks that were looked at, stale or not.
    """

    def __init__(
        self, locks: Iterable[Lock], listing: Listing, reading: Reading | None = None
    ) -> None:
        self.verdicts: set[Verdict] = set()
        self.looked_at = 0
        self._locks = locks
        self._listing = listing
        self._reading = reading
        self._charges = Charges(listing.ledger)

    @property
    def incomplete(self) -> tuple[Gap, ...]:
        """After the last row: what could not be read."""
        read = () if self._reading is None else self._reading.incomplete
        fault = self._charges.fault
        return read if fault is None else (*read, Gap.of(fault))

    def __iter__(self) -> Iterator[ChargedLock]:
        rows: Iterator[ChargedLock] = charged(self._wanted(), self._charges)
        if self._listing.order is not None:
            rows = iter(sort_locks(rows, self._listing.order))
        yield from islice(rows, self._listing.limit)
        for _ in rows:  # their verdicts count, too
            continue

    def _wanted(self) -> Iterator[Lock]:
        for lock in self._locks:
            self.looked_at += 1
            if not self._listing.is_stale_only or lock.verdict in STALE:
                self.verdicts.add(lock.verdict)
                yield lock


def survey(
    connection: "RedisConnection",
    listing: Listing,
    *,
    on_first: Callable[[Rows], object] | None = None,
    on_progress: Callable[[int], object] | None = None,
    clock: Callable[[], float] = boottime,
) -> Rows:
    """The locks that a listing asks for.

    Without a probe, the server is asked while the rows are being iterated.

    Args:
        connection: where to look.
        listing: what is asked for.
        on_first: called with the rows of the first look, if there is to be a second.
        on_progress: called after each batch with the number of locks looked at so far.
        clock: seconds of a clock that nobody sets.

    Raises:
        AtectlError: the server cannot be asked (exit 125).
    """
    lock_ttl_s, prefix = listing.lock_ttl_s, listing.selection.prefix
    reading = Reading(connection)
    found: Iterable[Lock] = list_locks(
        reading,
        listing.selection,
        lock_ttl_s=lock_ttl_s,
        clock=clock,
        on_progress=on_progress,
    )
    if listing.probe is not None:
        first = list(found)
        if on_first is not None:
            on_first(Rows(first, listing))
        found = second_look(
            reading, first, listing.probe, prefix=prefix, lock_ttl_s=lock_ttl_s, clock=clock
        )
    return Rows(found, listing, reading)
