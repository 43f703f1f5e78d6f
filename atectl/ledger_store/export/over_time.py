"""How much memory a principal's leases held over time, as far as a ledger knows.

A ledger knows of each lease when it began and ended, and its memory over time as one sum. So each
is taken to have held the same all the while.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from atectl.errors import UnknownPrincipal, nearest
from atectl.ledger_store.overview import accounts_now
from atectl.ledger_store.records import (
    HISTORY_LEASES,
    LOST,
    AccountRecord,
    LeaseRecord,
    LedgerStore,
)

MOST_PRINCIPALS = 20
"""How many principals a report has at most."""


class PrincipalReport(NamedTuple):
    """One principal: its account, and the leases that the ledger still knows."""

    account: AccountRecord
    leases: tuple[LeaseRecord, ...]


class LedgerReport(NamedTuple):
    """The chosen principals, and the time that is shown. Moments are in seconds since 1970."""

    principals: tuple[PrincipalReport, ...]
    begins_at: float
    ends_at: float

    @property
    def span_s(self) -> float:
        return max(self.ends_at - self.begins_at, 0.001)


def report_of(
    store: LedgerStore, chosen: Sequence[str], *, span_s: float, now: float
) -> LedgerReport:
    """A report of some principals, or of those of the highest peaks where none is chosen.

    Args:
        store: the ledger.
        chosen: the principals, in the order of the report.
        span_s: how many seconds before now are shown.
        now: in seconds since 1970.

    Raises:
        UnknownPrincipal: one has no account (exit 1).
        LedgerError: the store cannot be read (exit 125).
    """
    accounts = {account.principal: account for account in accounts_now(store)}
    for principal in chosen:
        if principal not in accounts:
            near = nearest(principal, list(accounts))
            raise UnknownPrincipal(f"there is no account of {principal!r}{near}")
    names = list(chosen) or list(accounts)[:MOST_PRINCIPALS]
    begins_at = now - span_s
    leases: dict[str, list[LeaseRecord]] = {name: [] for name in names}
    running = [lease for lease in store.running() if lease.state != LOST]
    for lease in (*store.history(None, HISTORY_LEASES), *running):
        if lease.principal in leases and end_of(lease, now) >= begins_at:
            leases[lease.principal].append(lease)
    found = [PrincipalReport(accounts[name], tuple(leases[name])) for name in names]
    return LedgerReport(tuple(found), begins_at, now)


def held_in_columns(
    leases: Iterable[LeaseRecord], begins_at: float, ends_at: float, columns: int
) -> list[int]:
    """What leases held together in each of some equal pieces of time, on average; in bytes."""
    width_s = max(ends_at - begins_at, 0.001) / columns
    held = [0.0] * columns
    for lease in leases:
        since, until = lease.started_at, end_of(lease, ends_at)
        average = min(lease.byte_seconds / max(until - since, 0.001), lease.high_water_bytes)
        if not average > 0:  # nothing, or a damaged number
            continue
        first = max(int((since - begins_at) / width_s), 0)
        last = min(int((until - begins_at) / width_s), columns - 1)
        for place in range(first, last + 1):
            begin = begins_at + place * width_s
            overlap_s = min(until, begin + width_s) - max(since, begin)
            held[place] += average * max(overlap_s, 0.0) / width_s
    return [round(size) for size in held]


def end_of(lease: LeaseRecord, now: float) -> float:
    """When a lease ended, or was last heard of; now at the latest."""
    return min(lease.updated_at if lease.finished_at is None else lease.finished_at, now)
