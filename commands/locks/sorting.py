"""The orders in which locks are listed: one table for `locks ls` and its keys when live."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, NamedTuple

from atectl.locks.charged import ChargedLock
from atectl.locks.verdicts import Verdict

_URGENCY = {
    verdict: place
    for place, verdict in enumerate(
        (
            Verdict.STUCK,
            Verdict.FOREIGN,
            Verdict.STRANDED,
            Verdict.EXPIRING,
            Verdict.HELD,
            Verdict.FINISHING,
            Verdict.RENEWING,
        )
    )
}


class SortBy(StrEnum):
    """What locks can be sorted by."""

    actor = "actor"
    atespace = "atespace"
    ttl = "ttl"
    age = "age"
    status = "status"
    verdict = "verdict"
    memory = "memory"
    peak = "peak"


class SortOrder(NamedTuple):
    """One order: the key that chooses it on the live screen, and whether the largest come first.

    What a lock has no value of comes last either way.
    """

    by: SortBy
    key: str
    value: Callable[[ChargedLock], Any]
    is_descending: bool = False


def _ttl_s(row: ChargedLock) -> float | None:
    return row.lock.look.ttl_s if row.lock.look is not None else None


SORT_ORDERS = (
    SortOrder(SortBy.actor, "n", lambda row: row.lock.name),
    SortOrder(SortBy.atespace, "s", lambda row: row.lock.atespace),
    SortOrder(SortBy.ttl, "t", _ttl_s),
    SortOrder(SortBy.age, "a", lambda row: row.lock.age_s, is_descending=True),
    SortOrder(SortBy.status, "u", lambda row: row.actor_status),
    SortOrder(SortBy.verdict, "v", lambda row: _URGENCY[row.lock.verdict]),
    SortOrder(SortBy.memory, "m", lambda row: row.current_bytes, is_descending=True),
    SortOrder(SortBy.peak, "p", lambda row: row.peak_bytes, is_descending=True),
)

ORDER_OF = {order.by: order for order in SORT_ORDERS}
ORDER_OF_KEY = {order.key: order for order in SORT_ORDERS}


def sort_locks(
    rows: Iterable[ChargedLock], order: SortOrder, *, is_reversed: bool = False
) -> list[ChargedLock]:
    """The locks in this order; those that are equal in it, by their actors' names."""
    ranked = sorted(rows, key=lambda row: row.lock.name)
    known = [row for row in ranked if order.value(row) is not None]
    unknown = [row for row in ranked if order.value(row) is None]
    known.sort(key=order.value, reverse=order.is_descending != is_reversed)
    return known + unknown
