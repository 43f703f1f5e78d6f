"""What was used on each day, in the tables of a stored ledger."""

import sqlite3  # noqa: TID253
from typing import Any

from atectl import accounting
from atectl.accounting import ALL_TIME, PERIOD_DAYS, Spender, Sums, Usage
from atectl.ledger_store.records import DayRecord, LeaseRecord

_HAS = "SELECT 1 FROM days WHERE day = ? AND principal = ? AND host = ? AND label = ?"

_SUMS = f"SELECT {', '.join(Sums._fields)} FROM days {_HAS[len('SELECT 1 FROM days ') :]}"  # noqa: S608

_PUT = f"""
INSERT OR REPLACE INTO days (day, principal, host, label, {", ".join(Sums._fields)})
VALUES ({", ".join("?" * (4 + len(Sums._fields)))})
"""  # noqa: S608

_READ = f"""
SELECT {", ".join(DayRecord._fields)} FROM days
WHERE day BETWEEN ? AND ? AND (? IS NULL OR principal = ?)
ORDER BY day, principal, host, label
"""  # noqa: S608


MOST_DAYS = 2 * PERIOD_DAYS
"""How many days the table keeps at least, however old they seem.

A clock that goes ahead adds `PERIOD_DAYS` of days to come at most, as use since it was right is
split over no more. So true days are not forgotten for it.
"""

_IS_OLD = f"SELECT 1 FROM days WHERE day > {ALL_TIME} AND day < ? LIMIT 1"  # noqa: S608

_FORGET_OLD = f"""
WITH RECURSIVE newest(day) AS (
    SELECT max(day) FROM days
    UNION ALL
    SELECT (SELECT max(day) FROM days WHERE day < newest.day) FROM newest WHERE day IS NOT NULL
    LIMIT {MOST_DAYS}
)
DELETE FROM days WHERE day > {ALL_TIME} AND day < min(?, (SELECT min(day) FROM newest))
"""  # noqa: S608

_TYPES = (int, str, str, str, *(int,) * len(Sums._fields))


class StoredDay:
    """The sums of one day in the table, within one transaction."""

    def __init__(self, connection: sqlite3.Connection, day: int) -> None:
        self._connection = connection
        self._day = day
        self._count: int | None = None

    def has(self, spender: Spender) -> bool:
        return self._connection.execute(_HAS, (self._day, *spender)).fetchone() is not None

    def count(self) -> int:
        # Asked once for all newcomers of a flush: there may be thousands of sums.
        if self._count is None:
            self._count = self._counted("day = ?", self._day)
        return self._count

    def count_of(self, principal: str) -> int:
        return self._counted("day = ? AND principal = ?", self._day, principal)

    def add(self, spender: Spender, new: Sums) -> None:
        """Add what a spender used; its sum is begun if there is none."""
        spender = accounting.kept_as(spender, self)
        row = self._connection.execute(_SUMS, (self._day, *spender)).fetchone()
        if row is None and self._count is not None:
            self._count += 1
        self._connection.execute(_PUT, (self._day, *spender, *_sound(row).plus(new)))

    def _counted(self, condition: str, *values: int | str) -> int:
        query = f"SELECT count(*) FROM days WHERE {condition}"  # noqa: S608
        return int(self._connection.execute(query, values).fetchone()[0])


class NewDays:
    """What is new of the leases of one flush, summed by day and spender before it is stored."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._sums: dict[tuple[int, Spender], Sums] = {}

    def add(self, lease: LeaseRecord, seen: Usage, counted: Usage, heard_at: float | None) -> None:
        """Add what is new of a lease since it was last heard of.

        Args:
            lease: as its host told it. If its clock is ahead, it uses nothing of days to come.
            seen: what it used.
            counted: what was counted of it before.
            heard_at: when it was last heard of, in seconds since 1970; anything else if that is
                not known.
        """
        new = accounting.new_sums(seen, counted, lease.peak_bytes)
        since = heard_at if type(heard_at) is float else lease.started_at
        spender = Spender(lease.principal, lease.host, lease.label)
        for day, part in accounting.by_day(new, since, min(self._now, lease.updated_at)):
            before = self._sums.get((day, spender))
            self._sums[day, spender] = part if before is None else before.plus(part)

    def store(self, connection: sqlite3.Connection) -> None:
        """Add it to the sums that are stored, within a transaction."""
        for (_, spender), sums in list(self._sums.items()):
            total = ALL_TIME, accounting.total_of(spender.host)
            self._sums[total] = self._sums.get(total, Sums()).plus(sums)
        days: dict[int, StoredDay] = {}
        for (day, spender), sums in self._sums.items():
            if day not in days:
                days[day] = StoredDay(connection, day)
            days[day].add(spender, sums)


def forget_old_days(connection: sqlite3.Connection, today: int) -> None:
    """Forget the days that are no longer asked for, but for the newest `MOST_DAYS` there are."""
    before = today - PERIOD_DAYS + 1
    if connection.execute(_IS_OLD, (before,)).fetchone():  # few are, and to count days takes 1 ms
        connection.execute(_FORGET_OLD, (before,))


def forget_days_of(connection: sqlite3.Connection, principal: str | None) -> None:
    """Forget what a principal used, or everybody."""
    connection.execute("DELETE FROM days WHERE ? IS NULL OR principal = ?", (principal, principal))


def read_days(
    connection: sqlite3.Connection, first: int, last: int, principal: str | None
) -> list[DayRecord]:
    """The sums of some days, in the order of their days and spenders.

    Raises:
        ValueError: one of them is damaged.
    """
    rows = connection.execute(_READ, (first, last, principal, principal)).fetchall()
    if any(tuple(map(type, row)) != _TYPES for row in rows):
        raise ValueError("a sum of a day")
    return [DayRecord._make(row) for row in rows]


def _sound(row: tuple[Any, ...] | None) -> Sums:
    """A row as sums; of a damaged one nothing is known."""
    return Sums(*row) if row and all(type(value) is int for value in row) else Sums()
