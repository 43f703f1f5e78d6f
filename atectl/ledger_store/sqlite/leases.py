"""The leases of one flush in their table: found and put many at a time.

Each statement lets other threads of Python go on and waits for them afterwards, so that thousands
of them would take a busy host far longer than their work does.
"""

import sqlite3  # noqa: TID253
from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple

from atectl.accounting import Counted, Usage
from atectl.ledger_store.records import LeaseRecord

LEASE_COLUMNS = ", ".join(LeaseRecord._fields)
USAGE_TYPES = (int, int, float, float, int, int, int, float)

_AT_ONCE = 25
"""How many leases one statement finds or puts: older versions of SQLite take 999 values."""

_FIND = f"""
SELECT id, account, updated_at, high_water_bytes, fuel, cpu_s, byte_seconds, 1, refused_growths,
    trapped, compile_cpu_s
FROM leases WHERE id IN ({", ".join("?" * _AT_ONCE)})
"""  # noqa: S608


class KnownLease(NamedTuple):
    """What is known of a lease: what was counted of it, and when it was last heard of."""

    counted: Counted
    heard_at: Any
    """In seconds since 1970; None if it is new, and anything in a damaged ledger."""


NEW = KnownLease(Counted(), None)


def known_leases(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, KnownLease]:
    """What is known of leases; those that are new are left out."""
    left, known = list(ids), dict[str, KnownLease]()
    while left:
        some, left = left[:_AT_ONCE], left[_AT_ONCE:]
        some += [""] * (_AT_ONCE - len(some))
        for lease, account, heard_at, *usage in connection.execute(_FIND, some):
            # Of a damaged lease nothing is known but that it was counted.
            is_sound = tuple(map(type, usage)) == USAGE_TYPES and type(heard_at) is float
            counted = Counted(Usage._make(usage) if is_sound else Usage(), account)
            known[lease] = KnownLease(counted, heard_at)
    return known


def put_leases(
    connection: sqlite3.Connection,
    leases: dict[str, LeaseRecord],
    known: dict[str, KnownLease],
) -> None:
    """Store leases as they are, with what was counted of each."""
    rows = [
        (*lease, known[name].counted.account, lease.finished_at) for name, lease in leases.items()
    ]
    whole = len(rows) // _AT_ONCE * _AT_ONCE
    for first in range(0, whole, _AT_ONCE):
        connection.execute(_PUT_MANY, tuple(chain(*rows[first : first + _AT_ONCE])))
    connection.executemany(_PUT, rows[whole:])


def _putting(count: int) -> str:
    """A statement that puts so many leases."""
    columns = (*LeaseRecord._fields, "account", "ended_at")
    row = f"({', '.join('?' * len(columns))})"
    return f"""
    INSERT INTO leases ({", ".join(columns)}) VALUES {", ".join([row] * count)}
    ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in columns)}
    """  # noqa: S608


_PUT, _PUT_MANY = _putting(1), _putting(_AT_ONCE)
