"""The orders in which locks can be listed."""

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
    """One order: by what, and whether the largest come first.

    Locks without a value come last either way.
    """

    by: SortBy
    value: Callable[[ChargedLock], Any]
    is_descending: bool = False


def _ttl_s(row: ChargedLock) -> float | None:
    return row.lock.look.ttl_s if row.lock.look is not None else None


SORT_ORDERS = (
    SortOrder(SortBy.actor, lambda row: row.lock.name),
    SortOrder(SortBy.atespace, lambda row: row.lock.atespace),
    SortOrder(SortBy.ttl, _ttl_s),
    SortOrder(SortBy.age, lambda row: row.lock.age_s, is_descending=True),
    SortOrder(SortBy.status, lambda row: row.actor_status),
    SortOrder(SortBy.verdict, lambda row: _URGENCY[row.lock.verdict]),
    SortOrder(SortBy.memory, lambda row: row.current_bytes, is_descending=True),
    SortOrder(SortBy.peak, lambda row: row.peak_bytes, is_descending=True),
)

ORDER_OF = {order.by: order for order in SORT_ORDERS}


def sort_locks(
    rows: Iterable[ChargedLock], order: SortOrder, *, is_reversed: bool = False
) -> list[ChargedLock]:
    """The locks in this order. Equal ones are sorted by the names of their actors."""
    ranked = sorted(rows, key=lambda row: row.lock.name)
    known = [row for row in ranked if order.value(row) is not None]
    unknown = [row for row in ranked if order.value(row) is None]
    known.sort(key=order.value, reverse=order.is_descending != is_reversed)
    return known + unknown
