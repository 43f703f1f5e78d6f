"""What a host tells a server: at once, or later if the server cannot be reached."""

import time
from collections.abc import Callable, Iterable

from atectl.errors import LedgerError
from atectl.ledger_store.errors import LedgerLeasesDropped, LedgerLeasesWait
from atectl.ledger_store.records import HISTORY_SHOWN, AccountRecord, DayRecord, LeaseRecord
from atectl.ledger_store.redis.session import Session
from atectl.ledger_store.redis.store import RedisLedgerStore
from atectl.ledger_store.sqlite.spool import Spool
from atectl.redis.errors import RedisBusy, RedisReadOnly, RedisUnreachable
from atectl.units import counted

RETRY_S = 2.0
"""Between two attempts to reach a server."""

SETTLED_S = 1.0
"""What a server was told this long ago it has stored, or has lost by now."""

_AT_ONCE = 500
"""How many leases that waited are told between two states of what runs."""

_PASSING = (RedisBusy, RedisReadOnly, RedisUnreachable)
"""What keeps a server from answering and passes by itself."""


class SpoolingStore:
    """A `LedgerStore` on a server. What is flushed while that cannot be reached waits in a file.

    It is told afterwards, in the order in which it happened, by this process or any later one.

    Args:
        connect: reaches the server, for that session.
        session: this process, over all connections.
        spool: the file.
        address: of the server, for messages.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        connect: Callable[[], RedisLedgerStore],
        session: Session,
        spool: Spool,
        address: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._session = session
        self._spool = spool
        self._address = address
        self._clock = clock
        self._store: RedisLedgerStore | None = None
        self._retry_at = self._told_at = clock()
        self._why: LedgerError | None = None

    def flush(self, leases: Iterable[LeaseRecord]) -> None:
        """Tell the server of these leases, or have them wait.

        Raises:
            LedgerError: the server was not told, and the file cannot be used (exit 125).
        """
        told = list(leases)
        if not told:
            return
        if self._store is None and self._clock() < self._retry_at:
            self._keep(told)
            return
        try:
            if not self._deliver(self._server(), told):
                self._keep(told)
            self._told_at, self._why = self._clock(), None
        except LedgerError as error:
            self._why = error
            self._give_up()
            self._keep(told)

    def accounts(self) -> list[AccountRecord]:
        """See `RedisLedgerStore`."""
        return self._server().accounts()

    def account(self, principal: str) -> AccountRecord | None:
        """See `RedisLedgerStore`."""
        return self._server().account(principal)

    def running(self) -> list[LeaseRecord]:
        """See `RedisLedgerStore`."""
        return self._server().running()

    def history(
        self, principal: str | None = None, limit: int = HISTORY_SHOWN
    ) -> list[LeaseRecord]:
        """See `RedisLedgerStore`."""
        return self._server().history(principal, limit)

    def days(self, first: int, last: int, principal: str | None = None) -> list[DayRecord]:
        """See `RedisLedgerStore`."""
        return self._server().days(first, last, principal)

    def totals(self) -> list[DayRecord]:
        """See `RedisLedgerStore`."""
        return self._server().totals()

    def reset(self, principal: str | None = None) -> int:
        """See `RedisLedgerStore`. What waits is told first, so that it is forgotten, too."""
        store = self._server()
        while not self._deliver(store):
            pass
        return store.reset(principal)

    def close(self) -> None:
        """Let go of the server and the file.

        Raises:
            LedgerLeasesWait: leases wait for the server (exit 125).
            LedgerLeasesDropped: so many have waited that some were dropped (exit 125).
        """
        self._tell_lost()
        self._give_up()
        try:
            if self._session.lost:
                self._keep([])
            waiting, dropped = self._spool.count(), self._spool.dropped()
            if dropped:
                self._spool.forget_dropped()
        finally:
            self._spool.close()
        if dropped:
            raise LedgerLeasesDropped(
                f"{self._address} could not be reached for so long that {self._spool.path} was "
                f"full: {counted(dropped, 'lease')} dropped"
            )
        if waiting:
            why = self._why or f"{self._address} was not told of all yet"
            raise LedgerLeasesWait(
                f"{why}; {counted(waiting, 'lease')} for its ledger kept in {self._spool.path}",
                remedy=self._remedy(),
            )

    def _tell_lost(self) -> None:
        """Ask whether the server still has what it was told a while ago, as nothing more is told.

        It is asked twice, since a server that was killed took the connection along. If it does not
        answer, it may have all: what it was told twice it could count twice, when it has forgotten
        it. So nothing waits for it then.
        """
        if self._store is None or self._clock() - self._told_at < SETTLED_S:
            return
        for _ in range(2):
            try:
                self._server().tell_lost()
            except LedgerError:
                self._give_up()
            else:
                return

    def _remedy(self) -> str | None:
        """What to do so that they are told; None if nothing need be done."""
        if self._why is None or type(self._why.__cause__) in _PASSING:
            return None
        return f"{self._why.remedy}; the next run or batch with this ledger tells the server"

    def _server(self) -> RedisLedgerStore:
        if self._store is None:
            self._retry_at = self._clock() + RETRY_S
            self._store = self._connect()
        return self._store

    def _deliver(self, store: RedisLedgerStore, told: Iterable[LeaseRecord] = ()) -> bool:
        """Tell the server of leases that wait, and then of these, if no others wait any more.

        So it hears of each lease in the order in which things happened. Returns whether it has
        heard of all.
        """
        waiting = self._spool.first(_AT_ONCE)
        is_all = len(waiting) < _AT_ONCE
        store.flush([*(lease for _, lease in waiting), *(told if is_all else ())])
        if waiting:
            self._spool.delivered(number for number, _ in waiting)
        return is_all

    def _keep(self, told: list[LeaseRecord]) -> None:
        """Have these leases wait, and with them what the server has lost: this process may end."""
        self._spool.keep(told, self._session.lost)
        self._session.forget_lost()

    def _give_up(self) -> None:
        store, self._store = self._store, None
        self._retry_at = self._clock() + RETRY_S
        if store is not None:
            store.close()
