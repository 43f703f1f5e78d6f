"""The thread that stores the leases: what it stores when, and what it says of failures."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from atectl.errors import (
    BadConfiguration,
    InternalError,
    LedgerBusy,
    LedgerCorrupt,
    LedgerError,
    LedgerUnavailable,
)
from atectl.ledger_store.errors import LedgerLeasesDropped, LedgerLeasesWait
from atectl.ledger_store.flusher import LeaseFlusher
from atectl.ledger_store.process_ledger import ProcessLedger
from atectl.ledger_store.records import HISTORY_LEASES, LeaseRecord
from atectl.ledger_store.sqlite.store import SqliteLedgerStore
from tests.support.lease_records import HOST, NOW, finish, is_gone, make_lease
from tests.support.told_lease import ToldLease
from tests.support.waiting import SOON_S, wait_until

TICK_S = 0.005


class RecordingStore:
    """Remembers what it is given, and fails as it is told to."""

    def __init__(self) -> None:
        self.flushes: list[list[LeaseRecord]] = []
        self.threads: set[str] = set()
        self.fail_with: BaseException | None = None
        self.fail_closing_with: BaseException | None = None
        self.blocked = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.closed = 0

    def flush(self, leases: Iterable[LeaseRecord]) -> None:
        self.threads.add(threading.current_thread().name)
        if not self.go_on.is_set():
            self.blocked.set()
            self.go_on.wait()
        if self.fail_with:
            raise self.fail_with
        self.flushes.append(list(leases))

    def close(self) -> None:
        self.closed += 1
        if self.fail_closing_with:
            raise self.fail_closing_with

    @property
    def stored(self) -> list[LeaseRecord]:
        return [lease for flush in self.flushes for lease in flush]


class Host(ProcessLedger):
    """A process's ledger whose leases change as a test says; its looks are counted."""

    def __init__(self) -> None:
        super().__init__(ended_kept=HISTORY_LEASES)
        self.looks = 0
        self.looked = threading.Condition()
        self.fail_with: Exception | None = None
        self._open: dict[str, ToldLease] = {}

    def tell(self, *leases: LeaseRecord) -> None:
        """These leases run, or have ended, as they say."""
        for record in leases:
            lease = self._open.get(record.id)
            if lease is None:
                lease = self._open[record.id] = ToldLease(record)
                self.open(lease)
            lease.now = record
            if record.finished_at is not None:
                self.close(self._open.pop(record.id))

    def running(self) -> list[LeaseRecord]:
        found = super().running()
        with self.looked:
            self.looks += 1
            self.looked.notify_all()
        if self.fail_with is not None:
            raise self.fail_with
        return found

    def wait_for_looks(self, more: int) -> None:
        with self.looked:
            wanted = self.looks + more
            assert self.looked.wait_for(lambda: self.looks >= wanted, SOON_S)


@pytest.fixture
def store() -> RecordingStore:
    return RecordingStore()


@pytest.fixture
def host() -> Host:
    host = Host()
    host.tell(make_lease())
    return host


StartFlusher = Callable[..., LeaseFlusher]


@pytest.fixture
def start(store: RecordingStore, host: Host) -> Iterator[StartFlusher]:
    started: list[LeaseFlusher] = []

    def start(**options: object) -> LeaseFlusher:
        usual: dict[str, object] = {
            "open_store": lambda: store,
            "ledger": host,
            "interval_s": TICK_S,
        }
        flusher = LeaseFlusher(**usual | options)  # type: ignore[arg-type]
        flusher.start()
        started.append(flusher)
        return flusher

    yield start
    store.go_on.set()
    for flusher in started:
        flusher.close()
        flusher._thread.join(SOON_S)


class TestWhatIsStored:
    def test_the_first_state_at_once(self, start: StartFlusher, store: RecordingStore) -> None:
        start(interval_s=60).close()
        assert store.stored[0] == make_lease()

    def test_every_change(self, start: StartFlusher, store: RecordingStore, host: Host) -> None:
        flusher = start()
        for fuel in (200, 300, 400):
            host.tell(make_lease(fuel=fuel))
            host.wait_for_looks(2)
        flusher.close()
        assert {lease.fuel for lease in store.stored} >= {200, 300, 400}

    def test_how_a_lease_ended(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        flusher = start()
        done = finish(make_lease(fuel=999))
        host.tell(done)
        assert flusher.close() is None
        assert store.stored[-1] == done

    def test_that_a_lease_ended_otherwise_than_was_told(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        flusher = start()
        host.tell(finish(make_lease()))
        host.wait_for_looks(2)
        lost = finish(make_lease(), reason="lock-lost", exit_status=125)
        host.amend(ToldLease(lost))
        flusher.close()
        assert store.stored[-1] == lost

    def test_a_lease_that_began_and_ended_between_two_looks(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        flusher = start(interval_s=60)
        brief = finish(make_lease(id="brief"))
        host.tell(brief)
        flusher.close()
        assert brief in store.stored

    def test_what_only_time_changed_at_a_lower_pace(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        now = 0.0
        start(refresh_s=2.0, clock=lambda: now)
        host.wait_for_looks(2)
        later = make_lease(updated_at=NOW + 1.9, byte_seconds=11.0)
        host.tell(later)
        now = 1.9
        host.wait_for_looks(3)
        assert store.stored == [make_lease()]
        now = 2.0
        host.wait_for_looks(3)
        assert store.stored == [make_lease(), later]

    def test_time_alone_is_stored_at_the_end(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        flusher = start()
        host.wait_for_looks(2)
        last = make_lease(updated_at=NOW + 2, byte_seconds=12.0)
        host.tell(last)
        flusher.close()
        assert store.stored == [make_lease(), last]

    def test_a_finished_lease_only_once(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        done = finish(make_lease())
        host.tell(done)
        flusher = start(refresh_s=0)
        host.wait_for_looks(5)
        flusher.close()
        assert store.stored == [done]

    def test_leases_that_have_ended_are_not_remembered(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        flusher = start()
        for n in range(5):
            host.tell(finish(make_lease(id=f"l{n}")))
            host.wait_for_looks(2)
        flusher.close()
        assert len(store.stored) == 6
        assert set(flusher._stored) == {"lease-1"}

    def test_on_a_thread_of_its_own(self, start: StartFlusher, store: RecordingStore) -> None:
        opened_on: list[str] = []

        def open_store() -> RecordingStore:
            opened_on.append(threading.current_thread().name)
            return store

        start(open_store=open_store).close()
        assert opened_on == ["ledger-flusher"]
        assert store.threads == {"ledger-flusher"}

    def test_then_the_store_is_closed(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        flusher = start()
        flusher.close()
        host.tell(make_lease(fuel=12345))
        flusher.close()
        assert store.closed == 1
        assert 12345 not in {lease.fuel for lease in store.stored}


class TestFailures:
    def test_one_that_is_made_up_for_is_not_told(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        store.fail_with = LedgerBusy("for a while")
        flusher = start()
        host.wait_for_looks(3)
        store.fail_with = None
        assert flusher.close() is None
        assert store.stored[-1] == make_lease()

    def test_a_failed_flush_is_tried_again_without_a_change(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        store.fail_with = LedgerBusy("for a while")
        start(refresh_s=3600)
        host.wait_for_looks(3)
        store.fail_with = None
        host.wait_for_looks(3)
        assert store.stored == [make_lease()]

    def test_a_lease_that_has_ended_meanwhile_is_stored_all_the_same(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        store.fail_with = LedgerBusy("for a while")
        done = finish(make_lease(id="ended"))
        host.tell(done)
        flusher = start()
        host.wait_for_looks(4)
        store.fail_with = None
        assert flusher.close() is None
        assert sorted(lease.id for lease in store.stored) == ["ended", "lease-1"]
        assert done in store.stored

    def test_what_is_kept_for_a_store_that_never_comes_is_bounded(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        host.tell(finish(make_lease()))
        store.fail_with = LedgerBusy("for ever")
        flusher = start()
        for first in (0, HISTORY_LEASES // 2, HISTORY_LEASES):
            host.tell(*(finish(make_lease(id=f"l{first + n}")) for n in range(HISTORY_LEASES // 2)))
            host.wait_for_looks(2)
        store.fail_with = None
        told = flusher.close()
        assert [lease.id for lease in store.stored] == [
            f"l{n}" for n in range(HISTORY_LEASES // 2, HISTORY_LEASES // 2 * 3)
        ]
        assert isinstance(told, LedgerLeasesDropped)
        assert f"{HISTORY_LEASES // 2 + 1} leases dropped" in str(told)

    def test_the_last_one_is_returned(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        flusher = start()
        host.wait_for_looks(2)
        store.fail_with = full = LedgerUnavailable("disk full")
        host.tell(finish(make_lease()))
        assert flusher.close() is full
        assert flusher.close() is full
        assert store.closed == 1

    def test_what_was_not_stored_is_told_of_before_what_closing_tells(
        self, start: StartFlusher, store: RecordingStore
    ) -> None:
        store.fail_with = full = LedgerUnavailable("disk full")
        store.fail_closing_with = LedgerLeasesWait("others wait")
        assert start().close() is full

    def test_what_closing_tells_is_told_if_all_was_stored(
        self, start: StartFlusher, store: RecordingStore
    ) -> None:
        store.fail_closing_with = waiting = LedgerLeasesWait("they wait")
        assert start().close() is waiting

    @pytest.mark.parametrize("error", [LedgerCorrupt("no ledger"), BadConfiguration("broken")])
    def test_a_store_that_cannot_be_opened_is_told_of(
        self, start: StartFlusher, error: LedgerError
    ) -> None:
        def open_store() -> RecordingStore:
            raise error

        assert start(open_store=open_store).close() is error

    def test_a_store_that_opens_late_gets_everything(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        attempts = iter([LedgerBusy("1"), LedgerBusy("2")])

        def open_store() -> RecordingStore:
            for error in attempts:
                raise error
            return store

        flusher = start(open_store=open_store)
        host.wait_for_looks(4)
        assert flusher.close() is None
        assert store.stored[0] == make_lease()

    def test_a_store_that_hangs_does_not_hold_up_the_end(
        self, start: StartFlusher, store: RecordingStore
    ) -> None:
        store.go_on.clear()
        flusher = start(close_timeout_s=0.1)
        assert store.blocked.wait(SOON_S)
        error = flusher.close()
        assert isinstance(error, LedgerBusy)
        assert "0.1 s" in str(error)

    def test_what_a_store_that_hung_missed_is_stored_once_it_goes_on(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        store.go_on.clear()
        flusher = start(close_timeout_s=0.05)
        assert store.blocked.wait(SOON_S)
        done = finish(make_lease())
        host.tell(done)
        flusher.close()
        store.go_on.set()
        flusher._thread.join(SOON_S)
        assert store.stored[-1] == done

    def test_an_unforeseen_one_in_opening_the_store_comes_back(self, start: StartFlusher) -> None:
        def fail() -> RecordingStore:
            raise ZeroDivisionError("one over nothing")

        error = start(open_store=fail).close()
        assert isinstance(error, InternalError)
        assert "ZeroDivisionError: one over nothing" in str(error)

    def test_an_unforeseen_one_in_reading_the_leases_does_not_cost_the_last_state(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        host.fail_with = ZeroDivisionError("one over nothing")
        flusher = start()
        wait_until(lambda: flusher._bug is not None)
        host.fail_with = None
        assert isinstance(flusher.close(), InternalError)
        assert store.stored == [make_lease()]

    def test_an_unforeseen_one_of_the_store_does_not_cost_it_either(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        store.fail_with = KeyError("peak_bytes")
        done = finish(make_lease(id="ended"))
        host.tell(done)
        flusher = start()
        wait_until(lambda: flusher._bug is not None)
        store.fail_with = None
        assert isinstance(flusher.close(), InternalError)
        assert done in store.stored


def test_nothing_is_stored_twice_in_a_real_ledger(tmp_path: Path, host: Host) -> None:
    path = tmp_path / "ledger.db"

    def open_store() -> SqliteLedgerStore:
        return SqliteLedgerStore(path, host=HOST, is_gone=is_gone, clock=lambda: NOW)

    flusher = LeaseFlusher(open_store, host, interval_s=TICK_S, refresh_s=0)
    flusher.start()
    for fuel in range(100, 120):
        host.tell(make_lease(fuel=fuel))
        host.wait_for_looks(1)
    host.tell(finish(make_lease(fuel=121)))
    assert flusher.close() is None
    with closing(open_store()) as store:
        account = store.account("alice")
        assert account is not None
        assert (account.leases, account.fuel, account.running_leases) == (1, 121, 0)
