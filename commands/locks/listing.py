"""What `locks ls` does once it is connected: list, look again, sort, and show."""

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from atectl.locks.charged import ChargedLock, charged
from atectl.locks.listing import Lock, Selection, list_locks, look_again
from atectl.locks.results import lock_entry
from atectl.locks.verdicts import STALE, Verdict

from ..output.stderr import say
from ..output.stdout import print_json_list, print_view, stdout_console
from ..terminal.countdown import count_down, status_line
from ..terminal.frames import can_draw
from .sorting import ORDER_OF, SortBy, SortOrder, sort_locks

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

_LINES_AROUND_ROWS = 3
"""Of the table: its header, and an empty line and the counts below."""


class Listing(NamedTuple):
    """What is to be listed, and how. `probe_s` is the time between two looks, None for one."""

    selection: Selection
    lock_ttl_s: float
    probe_s: float | None = None
    is_stale_only: bool = False
    order: SortOrder | None = None
    limit: int | None = None
    ledger: str | None = None


def print_json_listing(connection: "RedisConnection", listing: Listing) -> set[Verdict]:
    """Print the locks as JSON; the verdicts there were, those beyond the limit too.

    They are printed as they are found, unless they are to be sorted or looked at again.
    """
    # Progress would be drawn over what is being printed.
    locks = _found(connection, listing, is_told=not sys.stdout.isatty())
    if listing.probe_s is not None:
        locks = _looked_again(connection, listing, list(locks))
    verdicts: set[Verdict] = set()
    rows: Iterable[ChargedLock] = _noted(rows_of(locks, listing), verdicts)
    if listing.order is not None:
        rows = sort_locks(rows, listing.order)
    rows = iter(rows)
    print_json_list("locks", map(lock_entry, islice(rows, listing.limit)))
    deque(rows, maxlen=0)
    return verdicts


def print_table(connection: "RedisConnection", listing: Listing) -> set[Verdict]:
    """Draw the locks; on a terminal at once, and again when they were looked at twice."""
    locks = list(_found(connection, listing, is_told=True))
    rows = list(rows_of(locks, listing))
    if listing.probe_s is not None:
        shown = _draw(rows, listing) if sys.stdout.isatty() and rows else 0
        rows = list(rows_of(_looked_again(connection, listing, locks), listing))
        _clear(shown)
    if rows:
        _draw(rows, listing)
    else:
        say("no such locks" if locks or listing.selection.pattern else "no actor locks")
    return {row.lock.verdict for row in rows}


def _found(connection: "RedisConnection", listing: Listing, *, is_told: bool) -> Iterator[Lock]:
    with status_line() as show:
        yield from list_locks(
            connection,
            listing.selection,
            lock_ttl_s=listing.lock_ttl_s,
            on_progress=(lambda count: show(f"{count:,} locks …")) if is_told else None,
        )


def _looked_again(
    connection: "RedisConnection", listing: Listing, locks: list[Lock]
) -> Iterator[Lock]:
    if any(lock.key is not None for lock in locks):
        count_down(
            listing.probe_s or 0,
            lambda left: f"looking again in {left} s; Ctrl-C leaves it at one look",
        )
    return look_again(connection, locks, lock_ttl_s=listing.lock_ttl_s)


def rows_of(locks: Iterable[Lock], listing: Listing) -> Iterator[ChargedLock]:
    """The locks that are asked for, with what their holders' leases use."""
    wanted = (lock for lock in locks if not listing.is_stale_only or lock.verdict in STALE)
    return charged(wanted, listing.ledger)


def _noted(rows: Iterable[ChargedLock], verdicts: set[Verdict]) -> Iterator[ChargedLock]:
    for row in rows:
        verdicts.add(row.lock.verdict)
        yield row


def _draw(rows: list[ChargedLock], listing: Listing) -> int:
    """Print the table; the lines it took."""
    from .view import locks_view

    order = listing.order or ORDER_OF[SortBy.actor]
    ranked = sort_locks(rows, order)[: listing.limit]
    ascii_only = stdout_console().options.ascii_only
    print_view(locks_view(ranked, listing.lock_ttl_s, ascii_only=ascii_only))
    return len(ranked) + _LINES_AROUND_ROWS


def _clear(lines: int) -> None:
    """Take back the last lines on the terminal, or leave a gap where that cannot be."""
    if not lines:
        return
    if can_draw() and lines < stdout_console().height:
        sys.stdout.write(f"\x1b[{lines}F\x1b[J")
    else:
        sys.stdout.write("\n")
