"""The ledger in one SQLite file, shared by the processes of a host."""

import time
from collections.abc import Callable, Iterable
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from atectl import accounting
from atectl.accounting import (
    ALL_TIME,
    DAY_S,
    MAX_PRINCIPALS,
    PERIOD_DAYS,
    Account,
    Observation,
    Usage,
)
from atectl.errors import LedgerCorrupt
from atectl.ledger_store.damage import RESET
from atectl.ledger_store.records import (
    HISTORY_LEASES,
    HISTORY_SHOWN,
    LOST,
    AccountRecord,
    DayRecord,
    LeaseRecord,
    cleared,
    storable,
    storable_text,
)
from atectl.ledger_store.sqlite.connection import (
    empty_ledger,
    file_at,
    leave_moved,
    named_errors,
    open_readable,
    open_writable,
)
from atectl.ledger_store.sqlite.days import (
    NewDays,
    forget_days_of,
    forget_old_days,
    read_days,
)
from atectl.ledger_store.sqlite.leases import (
    LEASE_COLUMNS,
    NEW,
    USAGE_TYPES,
    KnownLease,
    known_leases,
    put_leases,
)
from atectl.ledger_store.sqlite.lost import LostLeases
from atectl.ledger_store.sqlite.schema import transaction
from atectl.system import processes
from atectl.system.identity import Identity

BUSY_TIMEOUT_S = 2.0
"""How long a store waits for another process, by default."""

LOST_LEASES = 1_000
"""Leases of ended processes that stay listed among the unfinished, the newest."""

SILENCE_S = 7 * 86_400
"""An unfinished lease of which nothing was heard for this long joins the finished as lost."""

RETIRE_EVERY_S = 60
"""Between two looks of one store for lost leases to put away."""

_RUNNING = f"""
SELECT {LEASE_COLUMNS}, is_lost(host, pid, process) FROM leases
WHERE ended_at IS NULL ORDER BY started_at, id
"""  # noqa: S608

_HISTORY = f"""
SELECT {LEASE_COLUMNS}, lost FROM (
    SELECT * FROM (
        SELECT *, 0 AS lost, ended_at AS heard_at FROM leases
        WHERE ended_at IS NOT NULL AND (:principal IS NULL OR principal = :principal)
        ORDER BY ended_at DESC, id DESC LIMIT :limit
    )
    UNION ALL
    SELECT *, 1 AS lost, updated_at AS heard_at FROM leases
    WHERE ended_at IS NULL AND (:principal IS NULL OR principal = :principal)
        AND is_lost(host, pid, process)
)
ORDER BY heard_at DESC, id DESC LIMIT :limit
"""  # noqa: S608

_ACCOUNTS = """
SELECT principal, peak_bytes, high_water_bytes, quota_bytes,
    ifnull(running_leases, 0), ifnull(current_bytes, 0),
    refused_growths, leases, cpu_s, compile_cpu_s, byte_seconds, fuel, traps, last_capsule, since,
    updated_at
FROM accounts LEFT JOIN (
    SELECT principal, count(*) AS running_leases, sum(current_bytes) AS current_bytes
    FROM leases WHERE ended_at IS NULL AND NOT is_lost(host, pid, process)
    GROUP BY principal
) USING (principal)
WHERE :principal IS NULL OR principal = :principal
ORDER BY peak_bytes DESC, principal
"""

_ACCOUNT = """
SELECT serial, peak_bytes, high_water_bytes, fuel, cpu_s, byte_seconds, leases, refused_growths,
    traps, compile_cpu_s
FROM accounts WHERE principal = ?
"""

_LOWEST = "SELECT peak_bytes, serial FROM accounts ORDER BY peak_bytes, serial LIMIT 1"

# Quota and capsule are those of the lease that started last. A moment later than now is of a clock
# that was ahead, and holds off nothing that is told now.
_HAS_LATER = "last_started_at > :started_at AND last_started_at <= :now"
_PUT_ACCOUNT = f"""
UPDATE accounts SET
    peak_bytes = :peak_bytes, {", ".join(f"{name} = :{name}" for name in Usage._fields)},
    quota_bytes = CASE WHEN {_HAS_LATER} THEN quota_bytes ELSE :quota_bytes END,
    last_capsule = CASE WHEN {_HAS_LATER} THEN last_capsule ELSE :capsule END,
    last_started_at = CASE WHEN {_HAS_LATER} THEN last_started_at ELSE :started_at END,
    updated_at = CASE WHEN updated_at BETWEEN :updated_at AND :now
        THEN updated_at ELSE :updated_at END
WHERE serial = :serial
"""  # noqa: S608

# A record that names nobody was damaged. No reset would ever be about it, so each is.
_IS_NOBODYS = (
    "typeof(principal) != 'text' OR principal = '' OR principal GLOB '*[^A-Za-z0-9_.@/+-]*'"
)

_JOIN_FINISHED = """
UPDATE leases SET ended_at = updated_at, state = 'lost', reason = 'lost'
WHERE ended_at IS NULL AND updated_at < ?
"""

_JOIN_FINISHED_BEYOND = """
UPDATE leases SET ended_at = updated_at, state = 'lost', reason = 'lost'
WHERE id IN (
    SELECT id FROM leases WHERE ended_at IS NULL AND is_lost(host, pid, process)
    ORDER BY updated_at DESC LIMIT -1 OFFSET ?
)
"""

_ACCOUNT_TYPES = (str, *(int,) * 7, float, float, float, int, int, str, float, float)
_LEASE_TYPES = (*(str,) * 5, int, str, str, *(int,) * 6, float, float, int, int, float, float)
_COMPILE_TYPES = (float, float, int)


class _Latest(NamedTuple):
    """What an account takes from the lease that started last, of those of one flush."""

    started_at: float
    quota_bytes: int
    capsule: str
    updated_at: float
    """When any of them was last heard of."""

    def with_lease(self, lease: LeaseRecord, started_at: float) -> "_Latest":
        """The same with one lease more, which is taken to have started then."""
        updated_at = max(self.updated_at, lease.updated_at)
        if started_at < self.started_at:
            return self._replace(updated_at=updated_at)
        return _Latest(started_at, lease.quota_bytes, lease.capsule, updated_at)


_NOTHING = _Latest(float("-inf"), 0, "", float("-inf"))


class SqliteLedgerStore:
    """A `LedgerStore` in one file, with a write-ahead log: no reader waits for the writer.

    Text that UTF-8 cannot carry (a file name of other bytes) is stored with its escapes
    written out; whole numbers are cut off at 2**63 - 1.

    Args:
        path: the file.
        host: the name of this machine. Only leases that ran on it can be told to be lost.
        read_only: open an existing ledger without writing; `flush` and `reset` then fail.
        at_default_place: nobody named this path. Its folder is created for writing, with mode
            0700, and a ledger that does not exist yet reads as an empty one.
        capacity: the most accounts it holds.
        clock: seconds since 1970.
        is_gone: whether the process with this pid and identity has ended for certain.
        busy_timeout_s: how long to wait for another process, in seconds.

    Raises:
        LedgerUnavailable: the file or its folder is missing or may not be used (exit 125).
        LedgerCorrupt: the file is no ledger, or is damaged; it is left as it is (exit 125).
        LedgerTooNew: a later atectl wrote it (exit 125).
        LedgerBusy: another process kept it locked (exit 125).
    """

    def __init__(
        self,
        path: Path,
        *,
        host: str,
        read_only: bool = False,
        at_default_place: bool = False,
        capacity: int = MAX_PRINCIPALS,
        clock: Callable[[], float] = time.time,
        is_gone: Callable[[int, str], bool] = processes.is_gone,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        self._path = path
        self._host = host
        self._at_default_place = at_default_place
        self._is_gone = is_gone
        self._busy_timeout_s = busy_timeout_s
        self._capacity = capacity
        self._clock = clock
        self._flushed: dict[str, Account] = {}  # accounts as this flush has left them so far
        self._unput: dict[str, _Latest] = {}  # those of them that are not stored so yet
        self._retired_at = -inf
        self._is_read_only = read_only
        self._file: Identity | None = None  # the one that is open for writing
        if not read_only:
            self._open()
            return
        if at_default_place and not path.exists():
            self._connection = empty_ledger()
        else:
            self._connection = open_readable(path, busy_timeout_s=busy_timeout_s)
        self._lost = LostLeases(self._connection, host, is_gone)

    def _open(self) -> None:
        self._connection = open_writable(
            self._path, make_folder=self._at_default_place, busy_timeout_s=self._busy_timeout_s
        )
        self._file = file_at(self._path)
        self._lost = LostLeases(self._connection, self._host, self._is_gone)

    def flush(self, leases: Iterable[LeaseRecord]) -> None:
        """Take the state of these leases in one transaction: all of it or none.

        If the file was removed or moved away, they go to a new one in its place.
        """
        told = [storable(lease) for lease in leases]
        if not told:
            return
        self._go_where_the_path_leads()
        self._lost.look_anew()
        self._flushed.clear()
        self._unput.clear()
        with named_errors(self._path):
            self._lost.note_boot()
        with named_errors(self._path), transaction(self._connection):
            days = NewDays(self._clock())
            known = known_leases(self._connection, {lease.id for lease in told})
            for lease in told:
                known[lease.id] = self._take(lease, known.get(lease.id, NEW), days)
            self._put_accounts()
            put_leases(self._connection, {lease.id: lease for lease in told}, known)
            days.store(self._connection)
            self._tidy(has_finished=any(lease.finished_at is not None for lease in told))

    def accounts(self) -> list[AccountRecord]:
        """Every account, the highest peak first."""
        return [self._account_record(row) for row in self._read(_ACCOUNTS, principal=None)]

    def account(self, principal: str) -> AccountRecord | None:
        """One account; None if the ledger has none of this principal."""
        rows = self._read(_ACCOUNTS, principal=storable_text(principal))
        return self._account_record(rows[0]) if rows else None

    def running(self) -> list[LeaseRecord]:
        """Leases that have not finished, the oldest first; those of ended processes as `lost`."""
        return [self._lease_record(row) for row in self._read(_RUNNING)]

    def history(
        self, principal: str | None = None, limit: int = HISTORY_SHOWN
    ) -> list[LeaseRecord]:
        """Leases that have finished or were lost, the newest first, at most `limit`.

        A lost lease has no `finished_at`: its `updated_at` is when it was last heard of.
        """
        limit = max(0, min(limit, HISTORY_LEASES))
        rows = self._read(_HISTORY, principal=_stored(principal), limit=limit)
        return [self._lease_record(row) for row in rows]

    def days(self, first: int, last: int, principal: str | None = None) -> list[DayRecord]:
        """What was used on the days from `first` to `last`; days are counted from 1970."""
        first = max(first, last - PERIOD_DAYS + 1, 0)
        return self._days(first, last, _stored(principal))

    def totals(self) -> list[DayRecord]:
        """What was used in all time, by host."""
        return self._days(ALL_TIME, ALL_TIME, None)

    def identity(self) -> str:
        """What tells this ledger from all others, and from itself before all was forgotten."""
        [(identity,)] = self._read("SELECT id FROM identity")
        return str(identity)

    def reset(self, principal: str | None = None) -> int:
        """Forget one account, or all, with the finished and lost leases; the number of accounts."""
        chosen = "(:principal IS NULL OR principal = :principal)"
        principal = _stored(principal)
        about = {"principal": principal}
        self._lost.look_anew()
        with named_errors(self._path), transaction(self._connection):
            execute = self._connection.execute
            forgotten = execute(f"DELETE FROM accounts WHERE {chosen}", about).rowcount  # noqa: S608
            execute(
                f"DELETE FROM leases WHERE ({chosen} OR {_IS_NOBODYS}) "  # noqa: S608
                "AND (ended_at IS NOT NULL OR is_lost(host, pid, process))",
                about,
            )
            execute(f"UPDATE leases SET account = 0 WHERE {chosen}", about)  # noqa: S608
            forget_days_of(self._connection, principal)
            if principal is None:
                execute("UPDATE identity SET id = lower(hex(randomblob(16)))")
        return forgotten

    def close(self) -> None:
        """Let go of the file; idempotent."""
        with named_errors(self._path):
            self._connection.close()

    def _go_where_the_path_leads(self) -> None:
        is_there = self._file is not None and file_at(self._path) == self._file
        if is_there or self._is_read_only:
            return
        leave_moved(self._connection)
        self._file = None
        self._open()

    def _take(self, lease: LeaseRecord, known: KnownLease, days: NewDays) -> KnownLease:
        """Count in its account and on its days what is new of a lease. What is known of it then."""
        seen = lease.observation
        days.add(lease, seen.usage, known.counted.usage, known.heard_at)
        account = self._account_for(seen)
        if account is None:
            counted = accounting.count_nowhere(seen, known.counted)
        else:
            account, counted = accounting.count(account, seen, known.counted)
            self._flushed[account.principal] = account
            latest = self._unput.get(account.principal, _NOTHING)
            started_at = self._started_at(lease, is_new=known is NEW)
            self._unput[account.principal] = latest.with_lease(lease, started_at)
        return KnownLease(counted, lease.updated_at)

    def _started_at(self, lease: LeaseRecord, *, is_new: bool) -> float:
        """When a lease started; if its clock was ahead, when it was first told, and before all
        others from then on."""
        now = self._clock()
        if lease.started_at <= now:
            return lease.started_at
        return now if is_new else 0.0

    def _account_for(self, seen: Observation) -> Account | None:
        """The account of a lease's principal, opened if it may be; None if it may not.

        A damaged one counts nothing, and stays as it is, for whoever reads it to be told.
        """
        if (flushed := self._flushed.get(seen.principal)) is not None:
            return flushed
        row = self._connection.execute(_ACCOUNT, (seen.principal,)).fetchone()
        if row is None:
            return self._open_account(seen)
        serial, peak_bytes, *usage = row
        if type(peak_bytes) is not int or tuple(map(type, usage)) != USAGE_TYPES:
            return None
        return Account(seen.principal, peak_bytes, Usage._make(usage), serial)

    def _open_account(self, seen: Observation) -> Account | None:
        execute = self._connection.execute
        if execute("SELECT count(*) FROM accounts").fetchone()[0] >= self._capacity:
            self._put_accounts()  # whose peaks are compared now
            lowest_peak_bytes, lowest = execute(_LOWEST).fetchone()
            if not accounting.may_displace(seen.peak_bytes, lowest_peak_bytes):
                return None
            displaced = execute("SELECT principal FROM accounts WHERE serial = ?", (lowest,))
            self._flushed.pop(displaced.fetchone()[0], None)
            execute("DELETE FROM accounts WHERE serial = ?", (lowest,))
        opened = execute(
            "INSERT INTO accounts VALUES (NULL, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', 0, ?, 0, 0)",
            (seen.principal, self._clock()),
        )
        return Account(seen.principal, serial=opened.lastrowid or 0)

    def _put_accounts(self) -> None:
        """Store the accounts that have changed."""
        for principal, latest in self._unput.items():
            account = self._flushed[principal]
            self._connection.execute(
                _PUT_ACCOUNT,
                {
                    **account.usage._asdict(),
                    **latest._asdict(),
                    "peak_bytes": account.peak_bytes,
                    "serial": account.serial,
                    "now": self._clock(),
                },
            )
        self._unput.clear()

    def _tidy(self, *, has_finished: bool) -> None:
        """Keep the leases bounded, finished and unfinished."""
        now = self._clock()
        if not 0 <= now - self._retired_at < RETIRE_EVERY_S:  # also once the clock goes back
            self._retired_at = now
            self._retire_lost(now)
            forget_old_days(self._connection, int(now // DAY_S))
        elif not has_finished:
            return
        self._connection.execute(
            "DELETE FROM leases WHERE id IN (SELECT id FROM leases WHERE ended_at IS NOT NULL "
            "ORDER BY ended_at DESC, id DESC LIMIT -1 OFFSET ?)",
            (HISTORY_LEASES,),
        )

    def _retire_lost(self, now: float) -> None:
        """Let lost leases join the finished, but for the newest."""
        execute = self._connection.execute
        # A host whose processes cannot be judged from here would otherwise fill the store. A
        # lease that is heard of again after all is back with that flush.
        execute(_JOIN_FINISHED, (now - SILENCE_S,))
        unfinished = execute("SELECT count(*) FROM leases WHERE ended_at IS NULL").fetchone()[0]
        # Each is judged by what the system says of its process: not done without need.
        if unfinished > LOST_LEASES:
            execute(_JOIN_FINISHED_BEYOND, (LOST_LEASES,))

    def _days(self, first: int, last: int, principal: str | None) -> list[DayRecord]:
        with named_errors(self._path):
            try:
                return read_days(self._connection, first, last, principal)
            except ValueError as what:
                raise self._damaged(str(what)) from None

    def _read(self, query: str, **parameters: str | int | None) -> list[tuple[Any, ...]]:
        self._lost.look_anew()
        with named_errors(self._path):
            return self._connection.execute(query, parameters).fetchall()

    def _account_record(self, row: tuple[Any, ...]) -> AccountRecord:
        if tuple(map(type, row)) != _ACCOUNT_TYPES:
            raise self._damaged(f"the account of {row[0]!r}")
        return cleared(AccountRecord._make(row))

    def _lease_record(self, row: tuple[Any, ...]) -> LeaseRecord:
        *fields, is_lost = row
        finished_at, reason, exit_status, sha256, cached, *compiling = fields[len(_LEASE_TYPES) :]
        is_sound = (
            tuple(map(type, fields[: len(_LEASE_TYPES)])) == _LEASE_TYPES
            and isinstance(finished_at, float | None)
            and isinstance(reason, str | None)
            and isinstance(exit_status, int | None)
            and isinstance(sha256, str | None)
            and isinstance(cached, int | None)
            and tuple(map(type, compiling)) == _COMPILE_TYPES
        )
        if not is_sound:
            raise self._damaged(f"the lease {row[0]!r} of {row[1]!r}")
        lease = cleared(LeaseRecord._make(fields))
        lease = lease._replace(cached=None if cached is None else bool(cached))
        return lease._replace(state=LOST, reason=LOST) if is_lost else lease

    def _damaged(self, what: str) -> LedgerCorrupt:
        return LedgerCorrupt(f"{self._path}: {what} is damaged", remedy=RESET)


def _stored(principal: str | None) -> str | None:
    """Whose leases a query is about, as a column can be compared with; None for everybody's."""
    return None if principal is None else storable_text(principal)
