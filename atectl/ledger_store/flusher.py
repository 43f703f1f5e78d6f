"""The thread that stores what a process's ledger knows, so that guests never wait for a disk."""

import threading
import time
from collections.abc import Callable

from atectl.errors import AtectlError, InternalError, LedgerBusy
from atectl.ledger_store.process_ledger import ProcessLedger
from atectl.ledger_store.records import HISTORY_LEASES, LeaseRecord, LedgerStore
from atectl.units import counted

INTERVAL_S = 0.2
"""Between two looks at the leases."""

FAR_INTERVAL_S = 1.0
"""The same where many hosts share one server."""

REFRESH_S = 2.0
"""Between two writes of a lease of which only time has passed."""

CLOSE_TIMEOUT_S = 3.0
"""The most that the end of a run waits for its last state to be stored."""


class LeaseFlusher:
    """Stores the leases of a ledger, a few times a second, on a thread of its own.

    A flush that fails is made up for by the next one, since each tells totals; a lease that has
    ended by then is told all the same. It runs until `close` is called.

    Args:
        open_store: opens the store; called on the thread, where its imports cost no guest time.
        ledger: what is stored; it must keep the leases that end until they are taken here.
        interval_s: seconds between two flushes.
        refresh_s: seconds between two flushes of a lease that stands still.
        close_timeout_s: seconds that `close` waits at most.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        open_store: Callable[[], LedgerStore],
        ledger: ProcessLedger,
        *,
        interval_s: float = INTERVAL_S,
        refresh_s: float = REFRESH_S,
        close_timeout_s: float = CLOSE_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_store = open_store
        self._ledger = ledger
        self._interval_s = interval_s
        self._refresh_s = refresh_s
        self._close_timeout_s = close_timeout_s
        self._clock = clock
        self._store: LedgerStore | None = None
        self._stored: dict[str, tuple[LeaseRecord, float]] = {}
        self._owed: dict[str, LeaseRecord] = {}
        self._dropped = 0
        self._failure: AtectlError | None = None
        self._bug: InternalError | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger-flusher")

    def start(self) -> None:
        """Begin to flush."""
        self._thread.start()

    def close(self) -> AtectlError | None:
        """Store the last state of the leases, and end; idempotent.

        Returns:
            Why the last state may not be stored, or leases were dropped; None if all is stored.
        """
        self._closing.set()
        self._thread.join(self._close_timeout_s)
        if self._thread.is_alive():
            return LedgerBusy(
                f"the ledger did not take the last state of the leases "
                f"within {self._close_timeout_s:g} s"
            )
        return self._bug or self._failure or self._loss()

    def _loss(self) -> AtectlError | None:
        if not self._dropped:
            return None
        from atectl.ledger_store.errors import LedgerLeasesDropped

        return LedgerLeasesDropped(
            "the ledger could not be stored for so long that the oldest leases were no longer "
            f"kept: {counted(self._dropped, 'lease')} dropped"
        )

    def _run(self) -> None:
        self._guarded(self._flush_until_closing)
        self._closing.wait()
        self._guarded(lambda: self._flush(is_last=True))
        self._guarded(self._close_store)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except AtectlError as error:
            # What was not stored counts for more than what closing says of the rest.
            self._failure = self._failure or error
        except Exception as error:
            self._bug = InternalError(f"storing the ledger: {type(error).__name__}: {error}")

    def _flush_until_closing(self) -> None:
        while not self._closing.is_set():
            self._flush()
            self._closing.wait(self._interval_s)

    def _flush(self, *, is_last: bool = False) -> None:
        now = self._clock()
        # A lease that ends in between is in both, and told as it ended.
        running = self._ledger.running()
        told = {record.id: record for record in (*running, *self._ledger.take_ended())}
        left = {id_: record for id_, record in self._owed.items() if id_ not in told}
        due = {
            id_: record
            for id_, record in (left | told).items()
            if self._is_due(record, now, is_last=is_last)
        }
        # Until it is stored; more than a store would keep need not be kept here either.
        self._owed = dict(list(due.items())[-HISTORY_LEASES:])
        try:
            if self._store is None:
                self._store = self._open_store()
            self._store.flush(due.values())
        except AtectlError as error:
            self._failure = error
            self._dropped += len(due) - len(self._owed)
            return
        self._failure = None
        self._owed = {}
        stored = self._stored | {id_: (record, now) for id_, record in due.items()}
        self._stored = {id_: stored[id_] for id_ in told}

    def _is_due(self, record: LeaseRecord, now: float, *, is_last: bool) -> bool:
        stored, stored_at = self._stored.get(record.id, (None, now))
        if stored is None or record == stored:
            return stored is None
        if is_last or now - stored_at >= self._refresh_s:
            return True
        return _apart_from_time(record) != _apart_from_time(stored)

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()


def _apart_from_time(record: LeaseRecord) -> LeaseRecord:
    """What does not change by itself while a lease stands still."""
    return record._replace(updated_at=0.0, byte_seconds=0.0)
