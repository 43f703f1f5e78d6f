"""A lease under an actor's lock: it holds one for as long as the guest runs, or the guest ends."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from atectl.accounting import Principal, Quota
from atectl.engine.wasi import WasiSettings
from atectl.errors import AtectlError
from atectl.lease.lease import Lease
from atectl.lease.locked import MIN_TTL_S, LeaseLock, LockWanted, locked
from atectl.lease.report import LockFacts
from atectl.lease.runtime import Runtime
from atectl.lease.terms import Terms
from atectl.ledger_store.opening import open_for_reading
from atectl.locks.errors import BadLockTtl, LockBusy
from atectl.locks.holder_record import parse_holder
from atectl.locks.keys import companion_keys
from atectl.redis.connection import connect
from atectl.redis.settings import redis_settings
from tests.conftest import CAPSULES
from tests.support.redis_servers import Server
from tests.support.runtimes import bare
from tests.support.waiting import wait_until

KEY = "lock:actor:team:web"
SUCCESSOR = b"01234567-89ab-4cde-8f01-23456789abcd"


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    runtime = bare()
    yield runtime
    runtime.close()


@pytest.fixture
def make(runtime: Runtime) -> Iterator[Callable[[str], Lease]]:
    """Makes leases of the test capsules, each of which has ended when the test has."""
    made: list[Lease] = []

    def make(name: str) -> Lease:
        terms = Terms(Principal("tenant"), Quota(64 << 20, 60.0), WasiSettings((name, "a-secret")))
        made.append(runtime.lease(runtime.load(CAPSULES / f"{name}.wat", terms.quota), terms))
        return made[-1]

    yield make
    for lease in made:
        lease.end("interrupted")


def under_lock(
    server: Server,
    lease: Lease,
    ttl_s: float = 30.0,
    wait_s: float | None = None,
    told: list[LockBusy] | None = None,
) -> AbstractContextManager[LeaseLock | None]:
    wanted = LockWanted("team/web", KEY, ttl_s, wait_s)
    on_busy = (told if told is not None else []).append
    return locked(
        lambda: connect(redis_settings(server.url)), wanted, lease, on_busy, lambda _: None
    )


def value_of(server: Server, key: str = KEY) -> bytes | None:
    with contextlib.closing(server.client()) as client:
        value: bytes | None = client.get(key)
        return value


def give_away(server: Server, px: int = 60_000) -> None:
    """Let somebody else have the lock."""
    with contextlib.closing(server.client()) as client:
        client.set(KEY, SUCCESSOR, px=px)


def take_away(server: Server) -> None:
    with contextlib.closing(server.client()) as client:
        client.delete(KEY)


class TestHolding:
    def test_it_is_held_until_it_is_settled(
        self, valkey: Server, make: Callable[[str], Lease]
    ) -> None:
        lease = make("hello")
        with under_lock(valkey, lease) as lock:
            assert lock is not None
            assert value_of(valkey) is not None
            lease.start()
            lease.join()
            assert lock.settle() is None
            assert value_of(valkey) is None
        assert lease.outcome.reason == "exited"
        assert lock.facts() == LockFacts("team/web", KEY, 1)

    def test_the_holder_record_has_principal_and_capsule_and_none_of_the_arguments(
        self, valkey: Server, make: Callable[[str], Lease]
    ) -> None:
        with (
            under_lock(valkey, make("hello")),
            contextlib.closing(valkey.client()) as client,
        ):
            record = parse_holder(client.hgetall(companion_keys(KEY).holder))
        assert record is not None
        assert (record.principal, record.command) == ("tenant", "atectl run hello.wat")
        assert record.since is not None
        assert record.deadline == pytest.approx(record.since + 60, abs=0.01)

    def test_a_failure_before_the_guest_has_ended_leaves_no_lock_behind(
        self, valkey: Server, make: Callable[[str], Lease]
    ) -> None:
        def fail() -> None:
            assert value_of(valkey) is not None
            raise RuntimeError

        with pytest.raises(RuntimeError), under_lock(valkey, make("hello")):
            fail()
        assert value_of(valkey) is None

    def test_a_server_that_is_gone_at_the_end_is_told_of_and_changes_no_outcome(
        self, valkey: Server, make: Callable[[str], Lease]
    ) -> None:
        lease = make("hello")
        with under_lock(valkey, lease) as lock:
            assert lock is not None
            lease.start()
            lease.join()
            valkey.kill()
            failure = lock.settle()
        assert isinstance(failure, AtectlError)
        assert failure.code == "E501"
        assert lease.outcome[:2] == ("exited", 0)

    def test_a_ttl_that_leaves_no_time_to_end_a_guest_is_refused_before_anybody_is_asked(
        self, make: Callable[[str], Lease]
    ) -> None:
        wanted = LockWanted("team/web", KEY, MIN_TTL_S - 0.1, None)
        asked: list[str] = []

        def ask() -> None:
            asked.append("asked")

        with (
            pytest.raises(BadLockTtl),
            locked(ask, wanted, make("hello"), lambda _: None, lambda _: None),  # type: ignore[arg-type]
        ):
            pass
        assert asked == []


class TestBusy:
    def test_a_busy_lock_is_refused(self, valkey: Server, make: Callable[[str], Lease]) -> None:
        give_away(valkey)
        with pytest.raises(LockBusy), under_lock(valkey, make("hello")):
            pass
        assert value_of(valkey) == SUCCESSOR

    def test_it_is_waited_for_and_that_is_told_once(
        self, valkey: Server, make: Callable[[str], Lease]
    ) -> None:
        lease, told = make("hello"), list[LockBusy]()
        give_away(valkey, px=800)
        with under_lock(valkey, lease, wait_s=20, told=told) as lock:
            assert lock is not None
        assert len(told) == 1

    def test_a_lease_that_is_told_to_end_waits_no_longer(
        self, valkey: Server, make: Callable[[str], Lease]
    ) -> None:
        give_away(valkey)
        lease = make("hello")
        told: list[LockBusy] = []
        ending = threading.Thread(
            target=lambda: (wait_until(lambda: told), lease.end("interrupted"))
        )
        ending.start()
        with under_lock(valkey, lease, wait_s=60, told=told) as lock:
            assert lock is None
        ending.join()
        assert value_of(valkey) == SUCCESSOR


class TestLosing:
    @pytest.mark.parametrize("name", ["spin", "sleep"])
    def test_a_lock_that_somebody_else_has_ends_the_guest(
        self, valkey: Server, make: Callable[[str], Lease], name: str
    ) -> None:
        lease = make(name)
        with under_lock(valkey, lease, ttl_s=2.0) as lock:
            assert lock is not None
            lease.start()
            give_away(valkey)
            assert lease.join().reason == "lock-lost"
            lock.settle()
        outcome = lease.outcome
        assert (outcome.reason, outcome.exit_status) == ("lock-lost", 125)
        assert str(outcome.error).startswith("the lock is somebody else's now")
        assert value_of(valkey) == SUCCESSOR

    def test_a_server_that_hangs_ends_the_guest_before_the_ttl_could_have_run_out(
        self, valkey: Server, make: Callable[[str], Lease]
    ) -> None:
        lease = make("spin")
        with under_lock(valkey, lease, ttl_s=6.0) as lock:
            assert lock is not None
            lease.start()
            valkey.stop()
            hung_at = time.monotonic()
            assert lease.join().reason == "lock-lost"
            assert time.monotonic() - hung_at < 6
            lock.settle()
        assert lease.outcome.exit_status == 125

    def test_a_guest_that_ended_while_its_lock_was_gone_is_not_said_to_have_succeeded(
        self, valkey: Server, make: Callable[[str], Lease]
    ) -> None:
        lease = make("hello")
        with under_lock(valkey, lease) as lock:
            assert lock is not None
            take_away(valkey)
            lease.start()
            assert lease.join().reason == "exited"
            assert lock.settle() is None
        assert lease.outcome.reason == "lock-lost"

    def test_the_stored_ledger_is_told_of_the_loss_too(
        self, valkey: Server, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        place = str(tmp_path_factory.mktemp("ledger") / "ledger.db")
        runtime = bare(place)
        terms = Terms(Principal("tenant"), Quota(64 << 20, 60.0), WasiSettings(("hello",)))
        lease = runtime.lease(runtime.load(CAPSULES / "hello.wat", terms.quota), terms)
        with under_lock(valkey, lease) as lock:
            assert lock is not None
            take_away(valkey)
            lease.start()
            runtime.store_ledger()
            lease.join()
            lock.settle()
            assert runtime.close() is None
        with contextlib.closing(open_for_reading(place)) as store:
            [stored] = store.history()
            [account] = store.accounts()
        assert (stored.reason, stored.exit_status) == ("lock-lost", 125)
        assert account.leases == 1
