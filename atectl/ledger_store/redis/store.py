"""The ledger in one Redis or Valkey, shared by many hosts."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from atectl import accounting
from atectl.accounting import DAY_S, MAX_PRINCIPALS, PERIOD_DAYS
from atectl.errors import AtectlError, LedgerBusy, LedgerCorrupt, LedgerTooNew
from atectl.ledger_store.records import (
    HISTORY_LEASES,
    HISTORY_SHOWN,
    AccountRecord,
    DayRecord,
    LeaseRecord,
    storable,
    storable_text,
)
from atectl.ledger_store.redis import keys
from atectl.ledger_store.redis.failures import unavailable
from atectl.ledger_store.redis.packing import (
    Damaged,
    account_of,
    as_lost,
    day_of,
    lease_of,
    merged_account,
    merged_day,
    numbers_of,
    record_of,
)
from atectl.ledger_store.redis.scripts import ScriptName, source_of
from atectl.ledger_store.redis.session import Session
from atectl.redis.connection import RedisConnection
from atectl.redis.errors import RedisFailure, RedisWrongType
from atectl.redis.script import Word

LEASES_AT_ONCE = 100
"""How many leases one script takes at most: while it runs, the server does nothing else."""

_PAGE = 1_000

_TAKEN, _DAY_AHEAD, _LOST = 1, 2, 3
_TIME = "return redis.call('TIME')"


class _Alive(NamedTuple):
    """What was read of the unfinished leases: each with its number, and whether it is lost."""

    leases: list[tuple[int, LeaseRecord, float | None]]

    def running(self) -> list[LeaseRecord]:
        """The leases that are not lost."""
        return [lease for _, lease, lost_at in self.leases if lost_at is None]


class RedisLedgerStore:
    """A `LedgerStore` for many hosts. Time and order are the server's; a host's clock decides none.

    Leases of a session that was silent for `keys.LOST_AFTER_S` are lost.

    Args:
        connection: to the server, which the store closes.
        session: the host process that tells. One that connects anew goes on with its session.
        capacity: the most accounts.
        clock: seconds since 1970, in place of the server's time.
    """

    def __init__(
        self,
        connection: RedisConnection,
        session: Session | None = None,
        *,
        capacity: int = MAX_PRINCIPALS,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._connection = connection
        self._capacity = capacity
        self._clock = clock
        self._session = session or Session()

    def flush(self, leases: Iterable[LeaseRecord]) -> None:
        """Take the state of these leases, a hundred at a time: all of these or none.

        If the server has lost what it had taken before, it is told that again.
        """
        told = [storable(lease) for lease in leases]
        with self._named():
            self._tell(told)
            self._tell(self._session.lost)

    def tell_lost(self) -> None:
        """Tell the server again what it has lost of this session, if anything."""
        [known] = self._read(("HGET", keys.SEQUENCES, self._session.id))
        sequence = int(known) if known is not None and known.isdigit() else 0
        if sequence < self._session.acknowledged:
            self._session.lose(sequence)
        with self._named():
            self._tell(self._session.lost)

    def accounts(self) -> list[AccountRecord]:
        """Every account, the highest peak first."""
        stored, *alive = self._read(("HGETALL", keys.ACCOUNTS), *self._of_running())
        return self._accounts(stored, self._alive(*alive))

    def account(self, principal: str) -> AccountRecord | None:
        """One account; None if the ledger has none of this principal."""
        name = storable_text(principal).encode()
        stored, *alive = self._read(("HGET", keys.ACCOUNTS, name), *self._of_running())
        if stored is None:
            return None
        [found] = self._accounts({name: stored}, self._alive(*alive))
        return found

    def running(self) -> list[LeaseRecord]:
        """Leases that have not finished, in the order in which the server first heard of them."""
        alive = self._alive(*self._read(*self._of_running()))
        return [lease if lost_at is None else as_lost(lease) for _, lease, lost_at in alive.leases]

    def history(
        self, principal: str | None = None, limit: int = HISTORY_SHOWN
    ) -> list[LeaseRecord]:
        """Leases that have finished or were lost, the newest first by the server's time."""
        limit = max(0, min(limit, HISTORY_LEASES))
        alive = self._alive(*self._read(*self._of_running()))
        ended = {
            lease.id: (lost_at, born, as_lost(lease))
            for born, lease, lost_at in alive.leases
            if lost_at is not None and principal in (None, lease.principal)
        }
        # One that has joined the finished ones meanwhile is there once.
        ended |= self._finished(principal, limit)
        latest = sorted(ended.values(), key=lambda each: each[:2], reverse=True)
        return [lease for _, _, lease in latest[:limit]]

    def days(self, first: int, last: int, principal: str | None = None) -> list[DayRecord]:
        """What was used on the days from `first` to `last`; days are counted from 1970."""
        first = max(first, last - PERIOD_DAYS + 1)
        answers = self._read(*(("HGETALL", key) for key in keys.day_keys(first, last)))
        with self._named():
            found = [each for day, told in enumerate(answers, first) for each in day_of(day, told)]
        return [each for each in found if principal in (None, each.principal)]

    def totals(self) -> list[DayRecord]:
        """What was used in all time, by host."""
        [told] = self._read(("HGETALL", keys.TOTALS))
        with self._named():
            return day_of(accounting.ALL_TIME, told)

    def reset(self, principal: str | None = None) -> int:
        """Forget one account, or all, with the finished and lost leases; the number of accounts."""
        if principal == "":  # The script would take that for everybody.
            return 0
        self._read()
        today = int(self._now() // DAY_S)
        # The server's day may be another by now.
        days = keys.day_keys(today - PERIOD_DAYS, today + 1)
        with self._named():
            script = self._connection.script(source_of("reset"))
            words = (storable_text(principal or ""), self._moment(), str(keys.LOST_AFTER_S))
            return int(script([*keys.FOR_RESET, keys.TOTALS, keys.MERGED, *days], words))

    def close(self) -> None:
        """Let go of the server; idempotent."""
        self._connection.close()

    def _tell(self, told: list[LeaseRecord]) -> None:
        for begin in range(0, len(told), LEASES_AT_ONCE):
            chunk = told[begin : begin + LEASES_AT_ONCE]
            first = self._session.sent.earliest(chunk)
            day = int(first // DAY_S)
            status, known, today = self._take(chunk, day)
            if status == _DAY_AHEAD:
                day = today
                status, known, today = self._take(chunk, day)
            if status == _LOST:
                self._session.lose(known)
                status, known, today = self._take(chunk, day)
            if status != _TAKEN:
                raise LedgerBusy(
                    f"{self._connection.address} has taken a later state of this process already"
                )
            self._session.take(chunk)

    def _take(self, chunk: list[LeaseRecord], first_day: int) -> tuple[int, int, int]:
        last_day = max(int(max(lease.updated_at for lease in chunk) // DAY_S), first_day)
        first_day = max(first_day, last_day - PERIOD_DAYS + 1)
        words: list[Word] = []
        for lease in chunk:
            words += (lease.id, lease.principal, lease.host, lease.label, lease.capsule)
            words += (numbers_of(lease), record_of(lease))
        return self._call("flush", first_day, last_day, words)

    def merge(self, source: str, accounts: list[AccountRecord], days: list[DayRecord]) -> None:
        """Take what another ledger has counted; taken again, only what is new.

        Args:
            source: what identifies that ledger.
            accounts: its accounts.
            days: its sums of days and of all time.
        """
        told = [merged_account(source, account) for account in accounts]
        told += [merged_day(source, day) for day in days]
        today = int(self._now() // DAY_S)
        with self._named():
            for begin in range(0, len(told), LEASES_AT_ONCE):
                words = [word for each in told[begin : begin + LEASES_AT_ONCE] for word in each]
                status, _, _ = self._call("merge", today - PERIOD_DAYS + 1, today, words)
                if status != _TAKEN:
                    raise LedgerBusy(f"{self._connection.address} did not take all of {source}")

    def _call(
        self, script: ScriptName, first_day: int, last_day: int, told: list[Word]
    ) -> tuple[int, int, int]:
        """Run a script that counts: its status, the sequence known until then, and the day."""
        words: list[Word] = [
            *(keys.SCHEMA_VERSION, self._session.id, self._session.next(), self._moment()),
            *(self._capacity, first_day, accounting.MAX_NAMED_SUMS, accounting.MAX_OWN_SUMS),
            *(HISTORY_LEASES, keys.LOST_LEASES, str(keys.LOST_AFTER_S), str(keys.SILENCE_S)),
            *(str(keys.FORGET_AFTER_S), PERIOD_DAYS, self._session.acknowledged, *told),
        ]
        names = [*keys.FOR_FLUSH, *keys.day_keys(first_day, last_day)]
        status, known, schema, today = self._connection.script(source_of(script))(names, words)
        self._check_schema(schema)
        return status, known, today

    def _of_running(self) -> list[tuple[Any, ...]]:
        return [
            ("HGETALL", keys.RUNNING),
            ("ZRANGE", keys.SESSIONS, 0, -1, "WITHSCORES"),
            ("EVAL", _TIME, 1, keys.META),
        ]

    def _alive(self, stored: dict[bytes, bytes], sessions: list[bytes], now: Any) -> _Alive:
        heard = {
            name.decode("ascii", "replace"): float(score)
            for name, score in zip(sessions[::2], sessions[1::2], strict=True)
        }
        seconds = int(now[0]) + int(now[1]) / 1e6 if self._clock is None else self._clock()
        found = []
        with self._named():
            for name, text in stored.items():
                lease, born, session = lease_of(name, text)
                heard_at = heard.get(session, 0.0)
                is_lost = seconds - heard_at > keys.LOST_AFTER_S
                found.append((born, lease, heard_at if is_lost else None))
        return _Alive(sorted(found, key=lambda each: each[0]))

    def _accounts(self, stored: dict[bytes, bytes], alive: _Alive) -> list[AccountRecord]:
        running: dict[str, list[LeaseRecord]] = {}
        for lease in alive.running():
            running.setdefault(lease.principal, []).append(lease)
        with self._named():
            found = [
                account_of(name, text, running.get(name.decode("utf-8", "replace"), []))
                for name, text in stored.items()
            ]
        return sorted(found, key=lambda account: (-account.peak_bytes, account.principal))

    def _finished(
        self, principal: str | None, limit: int
    ) -> dict[str, tuple[float, int, LeaseRecord]]:
        """The leases that ended last, by id: when, and the number among the ended ones.

        While more end, a page may begin with the last ones of the page before.
        """
        found: dict[str, tuple[float, int, LeaseRecord]] = {}
        page = _PAGE if principal else max(min(limit, _PAGE), 1)
        for begin in range(0, HISTORY_LEASES, page):
            if len(found) >= limit:
                break
            [members] = self._read(("ZREVRANGE", keys.ENDED, begin, begin + page - 1, "WITHSCORES"))
            if not members:
                break
            ids = [member[8:] for member in members[::2]]
            [texts] = self._read(("HMGET", keys.FINISHED, *ids))
            with self._named():
                for member, score, text in zip(members[::2], members[1::2], texts, strict=True):
                    if text is None:  # forgotten meanwhile
                        continue
                    lease, _, _ = lease_of(member[8:], text)
                    if principal in (None, lease.principal):
                        lease = as_lost(lease) if lease.finished_at is None else lease
                        found[lease.id] = float(score), int.from_bytes(member[:8]), lease
        return found

    def _read(self, *commands: tuple[Any, ...]) -> list[Any]:
        """The answers to commands that read, in one round trip, and that of the schema."""
        asked = (("HGET", keys.META, "schema"), *commands)
        schema, *answers = self._connection.client.answers(asked)
        with self._named():
            for answer in (schema, *answers):
                if isinstance(answer, AtectlError):
                    raise answer
            self._check_schema(keys.SCHEMA_VERSION if schema is None else schema)
        return answers

    def _check_schema(self, told: Any) -> None:
        try:
            version = int(told)
        except ValueError:
            raise Damaged("the version of the schema") from None
        if version != keys.SCHEMA_VERSION:
            raise LedgerTooNew(
                f"the ledger at {self._connection.address} has schema version {version}; "
                f"this atectl knows up to {keys.SCHEMA_VERSION}"
            )

    def _now(self) -> float:
        return time.time() if self._clock is None else self._clock()

    def _moment(self) -> str:
        return "" if self._clock is None else repr(self._clock())

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turn what a server does wrong into errors of the ledger."""
        try:
            yield
        except RedisWrongType as error:
            raise LedgerCorrupt(str(error), remedy=error.remedy) from error
        except RedisFailure as error:
            raise unavailable(error) from error
        except Damaged as what:
            raise LedgerCorrupt(
                f"{what} in the ledger at {self._connection.address} is damaged",
                remedy="find out which program writes the keys {atectl-ledger}:*; `atectl ledger "
                "reset PRINCIPAL` forgets an account with its leases, and leases that name nobody; "
                "--all forgets everything",
            ) from None
