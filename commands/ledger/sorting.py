"""How accounts and leases are sorted: one table for `ls`, `top` and the keys of `top`."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, NamedTuple

from atectl.ledger_store.records import AccountRecord, LeaseRecord


class SortBy(StrEnum):
    """What accounts can be sorted by."""

    principal = "principal"
    running = "running"
    memory = "memory"
    quota = "quota"
    used = "used"
    peak = "peak"
    refused = "refused"
    cpu = "cpu"
    gibs = "gibs"
    fuel = "fuel"
    capsule = "capsule"
    since = "since"


class SortOrder(NamedTuple):
    """One order: the key that selects it in `top`, and whether the largest come first."""

    by: SortBy
    key: str
    value: Callable[[AccountRecord], Any]
    is_descending: bool


def used_fraction(account: AccountRecord) -> float:
    """The share of its quota that an account uses now; 0 without a quota."""
    return account.current_bytes / account.quota_bytes if account.quota_bytes else 0.0


SORT_ORDERS = (
    SortOrder(SortBy.principal, "n", lambda account: account.principal, False),
    SortOrder(SortBy.running, "l", lambda account: account.running_leases, True),
    SortOrder(SortBy.memory, "m", lambda account: account.current_bytes, True),
    SortOrder(SortBy.quota, "o", lambda account: account.quota_bytes, True),
    SortOrder(SortBy.used, "u", used_fraction, True),
    SortOrder(SortBy.peak, "p", lambda account: account.peak_bytes, True),
    SortOrder(SortBy.refused, "x", lambda account: account.refused_growths, True),
    SortOrder(SortBy.cpu, "c", lambda account: account.cpu_s, True),
    SortOrder(SortBy.gibs, "g", lambda account: account.byte_seconds, True),
    SortOrder(SortBy.fuel, "f", lambda account: account.fuel, True),
    SortOrder(SortBy.capsule, "a", lambda account: account.last_capsule, False),
    SortOrder(SortBy.since, "s", lambda account: account.since, True),
)

ORDER_OF = {order.by: order for order in SORT_ORDERS}
ORDER_OF_KEY = {order.key: order for order in SORT_ORDERS}


def sort_accounts(
    accounts: Iterable[AccountRecord], order: SortOrder, *, is_reversed: bool = False
) -> list[AccountRecord]:
    """The accounts in this order; equal ones by peak, the highest first, and then by name."""
    ranked = sorted(accounts, key=lambda account: (-account.peak_bytes, account.principal))
    ranked.sort(key=_sound(order.value), reverse=order.is_descending != is_reversed)
    return ranked


class SortLeasesBy(StrEnum):
    """What running leases can be sorted by."""

    started = "started"
    principal = "principal"
    memory = "memory"
    peak = "peak"
    refused = "refused"
    cpu = "cpu"


_LEASE_ORDERS: dict[SortLeasesBy, tuple[Callable[[LeaseRecord], Any], bool]] = {
    SortLeasesBy.started: (lambda lease: lease.started_at, False),
    SortLeasesBy.principal: (lambda lease: lease.principal, False),
    SortLeasesBy.memory: (lambda lease: lease.current_bytes, True),
    SortLeasesBy.peak: (lambda lease: lease.peak_bytes, True),
    SortLeasesBy.refused: (lambda lease: lease.refused_growths, True),
    SortLeasesBy.cpu: (lambda lease: lease.cpu_s, True),
}


def sort_leases(leases: Iterable[LeaseRecord], by: SortLeasesBy) -> list[LeaseRecord]:
    """The leases in this order. Equal ones stay in the order they had."""
    value, is_descending = _LEASE_ORDERS[by]
    return sorted(leases, key=_sound(value), reverse=is_descending)


def _sound(value: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The value of a record, 0 for a damaged number: that one has no order among others."""

    def found(record: Any) -> Any:
        told = value(record)
        return told if told == told else 0.0

    return found
