"""How much was used in a period: the sums of its days, by principal, host or label."""

import re
import time
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, NamedTuple

from atectl.accounting import DAY_S, OTHERS, PERIOD_DAYS, Sums
from atectl.errors import UsageError, quoted
from atectl.ledger_store.records import DayRecord, LedgerStore
from atectl.records.types import Mark

_FIRST_DAY = date(1970, 1, 1)
_NAMED = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d))?", re.ASCII)


class UsageBy(StrEnum):
    """What use is summed by."""

    principal = "principal"
    host = "host"
    label = "label"


class Period(NamedTuple):
    """Which days are asked for, counted from 1970, and whether they are summed by month."""

    first_day: int
    last_day: int
    is_by_month: bool

    def name_of(self, day: int) -> str:
        """The period that a day is in: `2026-11`, or `2026-11-27`."""
        text = (_FIRST_DAY + timedelta(days=day)).isoformat()
        return text[:7] if self.is_by_month else text


class UsageEntry(NamedTuple):
    """What was used in one period by one principal, on one host, or under one label."""

    period: str
    """The day or the month of UTC."""
    by: UsageBy
    """What it is of."""
    name: Annotated[str | None, Mark.EMPTY_IS_UNKNOWN]
    """Its name; null for the leases without a label."""
    is_others: bool
    """Whether it is of all that had no sum of their own, as there were too many."""
    leases: int
    """How many leases began."""
    cpu_s: float
    """CPU time of the guests."""
    byte_seconds: float
    """The memory that leases held, times how long they held it."""
    fuel: int
    """The fuel that they burned, where it was counted."""
    peak_bytes: int
    """The most that one lease was charged."""
    refused_growths: int
    """How often a growth was refused."""


class UsageList(NamedTuple):
    """What was used, by period."""

    usage: tuple[UsageEntry, ...]
    """The latest period first; in each, the most memory over time first."""


def parse_period(text: str, today: int) -> Period:
    """The period of `day`, `month`, `2026-11` or `2026-11-27`.

    Args:
        text: what was asked for. `day` and `month` are all that is kept, by day or by month.
        today: the day it is, counted from 1970.

    Raises:
        UsageError: there is no such period (exit 2).
    """
    if text in ("day", "month"):
        return Period(today - PERIOD_DAYS + 1, today, text == "month")
    match = _NAMED.fullmatch(text)
    try:
        if match is not None and match[3] is None:
            first = date(int(match[1]), int(match[2]), 1)
            after = (first + timedelta(days=31)).replace(day=1)
            return Period(_number(first), _number(after) - 1, True)
        if match is not None:
            day = _number(date.fromisoformat(text))
            return Period(day, day, False)
    except (ValueError, OverflowError):
        pass
    raise UsageError(
        f"{quoted(text)} is no period",
        remedy="`day`, `month`, a month such as 2026-11, or a day such as 2026-11-27",
    )


def today() -> int:
    """The day of UTC that it is, counted from 1970."""
    return int(time.time() // DAY_S)


def _number(day: date) -> int:
    return (day - _FIRST_DAY).days


def usage_of(
    store: LedgerStore, period: Period, by: UsageBy, principal: str | None = None
) -> UsageList:
    """What was used in a period: by everybody, or by one principal.

    Raises:
        LedgerError: the store cannot be read (exit 125).
    """
    sums: dict[tuple[str, str], Sums] = {}
    for day in store.days(period.first_day, period.last_day, principal):
        key = period.name_of(day.day), getattr(day, by.value)
        sums[key] = sums.get(key, Sums()).plus(_sums_of(day))
    entries = [_entry(name, by, whose, each) for (name, whose), each in sums.items()]
    entries.sort(key=lambda each: (-each.byte_seconds, each.name))
    entries.sort(key=lambda each: each.period, reverse=True)
    return UsageList(tuple(entries))


def _sums_of(day: DayRecord) -> Sums:
    return Sums._make(day[-len(Sums._fields) :])


def _entry(period: str, by: UsageBy, name: str, sums: Sums) -> UsageEntry:
    return UsageEntry(
        period,
        by,
        name,
        name == OTHERS,
        sums.leases,
        sums.cpu_us / 1_000_000,
        sums.byte_ms / 1000,
        sums.fuel,
        sums.peak_bytes,
        sums.refused_growths,
    )
