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
from atectl.ledger_store.flusher import LeaseFlusher
from atectl.ledger_store.records import HISTORY_LEASES, LeaseRecord
from atectl.ledger_store.sqlite.store import SqliteLedgerStore
from tests.support.lease_records import HOST, NOW, finish, is_gone, make_lease
from tests.support.waiting import SOON_S

TICK_S = 0.005


class RecordingStore:
    """Remembers what it is given, and fails as it is told to."""

    def __init__(self) -> None:
        self.flushes: list[list[LeaseRecord]] = []
        self.threads: set[str] = set()
        self.fail_with: BaseException | None = None
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

    @property
    def stored(self) -> list[LeaseRecord]:
        return [lease for flush in self.flushes for lease in flush]


class Host:
    """A host whose leases change as a test says."""

    def __init__(self, *leases: LeaseRecord) -> None:
        self.leases = list(leases)
        self.looks = 0
        self.looked = threading.Condition()

    def snapshot(self) -> list[LeaseRecord]:
        with self.looked:
            self.looks += 1
            self.looked.notify_all()
            return list(self.leases)

    def wait_for_looks(self, more: int) -> None:
        with self.looked:
            wanted = self.looks + more
            assert self.looked.wait_for(lambda: self.looks >= wanted, SOON_S)


@pytest.fixture
def store() -> RecordingStore:
    return RecordingStore()


@pytest.fixture
def host() -> Host:
    return Host(make_lease())


StartFlusher = Callable[..., LeaseFlusher]


@pytest.fixture
def start(store: RecordingStore, host: Host) -> Iterator[StartFlusher]:
    started: list[LeaseFlusher] = []

    def start(**options: object) -> LeaseFlusher:
        usual: dict[str, object] = {
            "open_store": lambda: store,
            "snapshot": host.snapshot,
            "interval_s": TICK_S,
        }
        flusher = LeaseFlusher(**usual | options)  # type: ignore[arg-type]
        flusher.start()
        started.append(flusher)
        return flusher

    yield start
    store.go_on.set()
    for flusher in started:
        flusher.close([])
        flusher._thread.join(SOON_S)


class TestWhatIsStored:
    def test_the_first_state_at_once(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        start(interval_s=60).close([make_lease()])
        assert store.stored[0] == make_lease()

    def test_every_change(self, start: StartFlusher, store: RecordingStore, host: Host) -> None:
        flusher = start()
        for fuel in (200, 300, 400):
            host.leases = [make_lease(fuel=fuel)]
            host.wait_for_looks(2)
        flusher.close(host.leases)
        assert {lease.fuel for lease in store.stored} >= {200, 300, 400}

    def test_the_last_state_at_the_end(self, start: StartFlusher, store: RecordingStore) -> None:
        done = finish(make_lease(fuel=999))
        assert start().close([done]) is None
        assert store.stored[-1] == done

    def test_what_only_time_changed_at_a_lower_pace(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        now = 0.0
        flusher = start(refresh_s=2.0, clock=lambda: now)
        host.wait_for_looks(2)
        later = make_lease(updated_at=NOW + 1.9, byte_seconds=11.0)
        host.leases = [later]
        now = 1.9
        host.wait_for_looks(3)
        assert store.stored == [make_lease()]
        now = 2.0
        host.wait_for_looks(3)
        assert store.stored == [make_lease(), later]
        flusher.close(host.leases)

    def test_time_alone_is_stored_at_the_end(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        flusher = start()
        host.wait_for_looks(2)
        last = make_lease(updated_at=NOW + 2, byte_seconds=12.0)
        flusher.close([last])
        assert store.stored == [make_lease(), last]

    def test_a_finished_lease_only_once(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        done = finish(make_lease())
        host.leases = [done]
        flusher = start(refresh_s=0)
        host.wait_for_looks(5)
        flusher.close([done])
        assert store.stored == [done]

    def test_leases_that_have_left_are_not_remembered(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        flusher = start()
        for n in range(5):
            host.leases = [finish(make_lease(id=f"l{n}"))]
            host.wait_for_looks(2)
        flusher.close(host.leases)
        assert len(store.stored) == 6
        assert set(flusher._stored) == {"l4"}

    def test_on_a_thread_of_its_own(self, start: StartFlusher, store: RecordingStore) -> None:
        opened_on: list[str] = []

        def open_store() -> RecordingStore:
            opened_on.append(threading.current_thread().name)
            return store

        start(open_store=open_store).close([make_lease()])
        assert opened_on == ["ledger-flusher"]
        assert store.threads == {"ledger-flusher"}

    def test_then_the_store_is_closed(self, start: StartFlusher, store: RecordingStore) -> None:
        flusher = start()
        flusher.close([make_lease()])
        flusher.close([make_lease(fuel=12345)])
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
        assert flusher.close(host.leases) is None
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

    def test_a_lease_that_has_left_meanwhile_is_stored_all_the_same(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        store.fail_with = LedgerBusy("for a while")
        done = finish(make_lease(id="left"))
        host.leases = [done]
        flusher = start()
        host.wait_for_looks(2)
        host.leases = [make_lease()]
        host.wait_for_looks(2)
        store.fail_with = None
        assert flusher.close(host.leases) is None
        assert store.stored == [done, make_lease()]

    def test_what_is_kept_for_a_store_that_never_comes_is_bounded(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        store.fail_with = LedgerBusy("for ever")
        host.leases = [finish(make_lease(id=f"l{n}")) for n in range(HISTORY_LEASES + 5)]
        flusher = start()
        host.wait_for_looks(2)
        host.leases = []
        host.wait_for_looks(2)
        store.fail_with = None
        flusher.close([])
        assert [lease.id for lease in store.stored] == [
            f"l{n}" for n in range(5, HISTORY_LEASES + 5)
        ]

    def test_the_last_one_is_returned(
        self, start: StartFlusher, store: RecordingStore, host: Host
    ) -> None:
        flusher = start()
        host.wait_for_looks(2)
        store.fail_with = full = LedgerUnavailable("disk full")
        assert flusher.close([finish(make_lease())]) is full
        assert flusher.close([]) is full
        assert store.closed == 1

    @pytest.mark.parametrize("error", [LedgerCorrupt("no ledger"), BadConfiguration("broken")])
    def test_a_store_that_cannot_be_opened_is_told_of(
        self, start: StartFlusher, error: LedgerError
    ) -> None:
        def open_store() -> RecordingStore:
            raise error

        assert start(open_store=open_store).close([make_lease()]) is error

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
        assert flusher.close(host.leases) is None
        assert store.stored[0] == make_lease()

    def test_a_store_that_hangs_does_not_hold_up_the_end(
        self, start: StartFlusher, store: RecordingStore
    ) -> None:
        store.go_on.clear()
        flusher = start(close_timeout_s=0.1)
        assert store.blocked.wait(SOON_S)
        error = flusher.close([make_lease()])
        assert isinstance(error, LedgerBusy)
        assert "0.1 s" in str(error)

    def test_a_second_close_does_not_replace_the_last_state(
        self, start: StartFlusher, store: RecordingStore
    ) -> None:
        store.go_on.clear()
        flusher = start(close_timeout_s=0.05)
        assert store.blocked.wait(SOON_S)
        done = finish(make_lease())
        flusher.close([done])
        flusher.close([])
        store.go_on.set()
        flusher._thread.join(SOON_S)
        assert store.stored[-1] == done

    @pytest.mark.parametrize("where", ["open_store", "snapshot"])
    def test_an_unforeseen_one_comes_back(
        self, start: StartFlusher, store: RecordingStore, where: str
    ) -> None:
        def fail() -> None:
            raise ZeroDivisionError("one over nothing")

        error = start(**{where: fail}).close([make_lease()])
        assert isinstance(error, InternalError)
        assert "ZeroDivisionError: one over nothing" in str(error)

    def test_an_unforeseen_one_does_not_cost_the_last_state(
        self, start: StartFlusher, store: RecordingStore
    ) -> None:
        def fail() -> list[LeaseRecord]:
            raise ZeroDivisionError

        start(snapshot=fail).close([make_lease()])
        assert store.stored == [make_lease()]

    def test_an_unforeseen_one_of_the_store_comes_back(
        self, start: StartFlusher, store: RecordingStore
    ) -> None:
        store.fail_with = KeyError("peak_bytes")
        assert isinstance(start().close([make_lease()]), InternalError)


def test_nothing_is_stored_twice_in_a_real_ledger(tmp_path: Path, host: Host) -> None:
    path = tmp_path / "ledger.db"

    def open_store() -> SqliteLedgerStore:
        return SqliteLedgerStore(path, host=HOST, is_gone=is_gone, clock=lambda: NOW)

    flusher = LeaseFlusher(open_store, host.snapshot, interval_s=TICK_S, refresh_s=0)
    flusher.start()
    for fuel in range(100, 120):
        host.leases = [make_lease(fuel=fuel)]
        host.wait_for_looks(1)
    assert flusher.close([finish(make_lease(fuel=121))]) is None
    with closing(open_store()) as store:
        account = store.account("alice")
        assert account is not None
        assert (account.leases, account.fuel, account.running_leases) == (1, 121, 0)
