"""Locks beside the memory of the principals they are held for."""

from contextlib import closing

import pytest

from atectl.errors import LedgerUnavailable
from atectl.ledger_store.opening import open_for_writing
from atectl.locks.charged import ChargedLock, Charges, charged
from atectl.locks.listing import list_locks
from atectl.locks.lock import Lock
from atectl.redis.connection import RedisConnection
from atectl.redis.reading import Reading
from tests.support.ledger_records import MIB, just_now, lease
from tests.support.lock_examples import token


@pytest.fixture
def lock(empty: RedisConnection) -> Lock:
    empty.client.set("lock:actor:demo:web", token(1), px=30_000)
    record = {"token": token(1), "principal": "alpha"}
    empty.client.hset("{lock:actor:demo:web}:holder", mapping=record)
    [lock] = list_locks(Reading(empty))
    return lock


def test_the_memory_is_that_of_the_stored_ledger(lock: Lock) -> None:
    with closing(open_for_writing()) as store:
        store.flush([lease("alpha", **just_now(), current_bytes=5 * MIB, peak_bytes=6 * MIB)])
    assert list(charged([lock], Charges())) == [ChargedLock(lock, "alpha", 5 * MIB, 6 * MIB)]


def test_the_memory_is_unknown_without_a_ledger(
    lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for named, usual in ((None, None), ("none", None), (None, "/etc/passwd")):
        if usual is not None:
            monkeypatch.setenv("ATECTL_LEDGER", usual)
        charges = Charges(named)
        assert list(charged([lock], charges)) == [ChargedLock(lock, "alpha")]
        assert charges.fault is None


def test_a_ledger_that_was_named_and_cannot_be_read_leaves_the_locks(lock: Lock) -> None:
    charges = Charges("/nonexistent/ledger.db")
    assert list(charged([lock], charges)) == [ChargedLock(lock, "alpha")]
    assert isinstance(charges.fault, LedgerUnavailable)
