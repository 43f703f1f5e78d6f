"""Every kind of store that there is: what holds for one is tested on all."""

import atexit
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import pytest

from atectl.accounting import MAX_PRINCIPALS
from atectl.ledger_store.records import LeaseRecord, LedgerStore
from atectl.ledger_store.redis.keys import LOST_AFTER_S
from atectl.ledger_store.redis.store import RedisLedgerStore
from atectl.ledger_store.sqlite.store import SqliteLedgerStore
from atectl.redis.connection import connect
from atectl.redis.settings import parse_redis_url
from tests.support.lease_records import HOST, NOW, is_gone
from tests.support.redis_servers import REDIS_7, Cluster, Server


class Place(Protocol):
    """A place where stores of one ledger can be opened, here and in other processes.

    Attributes:
        now: the time by the clock of its stores.
        has_own_clock: whether the store has a clock of its own. It orders leases by that, and takes
            hosts that are silent for lost; or else by the clock of the host, and by processes.
    """

    now: float
    has_own_clock: bool

    def __init__(self, folder: Path) -> None: ...

    def open(self, capacity: int = MAX_PRINCIPALS) -> LedgerStore: ...

    def lose(self, *leases: LeaseRecord) -> None:
        """A host tells of these leases, and is gone for certain. Time goes on meanwhile."""
        ...

    def opening_source(self) -> str:
        """A program's text that opens such a store as `store`."""
        ...


class SqlitePlace:
    has_own_clock = False

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.db"
        self.now = NOW + 1

    def open(self, capacity: int = MAX_PRINCIPALS) -> LedgerStore:
        return SqliteLedgerStore(
            self.path, host=HOST, capacity=capacity, clock=lambda: self.now, is_gone=is_gone
        )

    def lose(self, *leases: LeaseRecord) -> None:
        with closing(self.open()) as store:
            store.flush(lease._replace(process="gone") for lease in leases)

    def opening_source(self) -> str:
        return (
            "from pathlib import Path\n"
            "from atectl.ledger_store.sqlite.store import SqliteLedgerStore\n"
            f"store = SqliteLedgerStore(Path({str(self.path)!r}), host={HOST!r},"
            " busy_timeout_s=30)\n"
        )


class _RedisPlace:
    has_own_clock = True
    start: Callable[[], Any]

    def __init__(self, folder: Path) -> None:
        self.server = type(self).start()
        self.now = NOW + 1
        self._forget()

    def _forget(self) -> None:
        with closing(self.server.client()) as client:
            client.flushall()

    def open(self, capacity: int = MAX_PRINCIPALS) -> LedgerStore:
        connection = connect(parse_redis_url(self.server.url))
        return RedisLedgerStore(connection, capacity=capacity, clock=lambda: self.now)

    def lose(self, *leases: LeaseRecord) -> None:
        later = self.now
        self.now -= LOST_AFTER_S + 1
        with closing(self.open()) as store:
            store.flush(leases)
        self.now = later

    def opening_source(self) -> str:
        return (
            "from atectl.ledger_store.redis.store import RedisLedgerStore\n"
            "from atectl.redis.connection import connect\n"
            "from atectl.redis.settings import parse_redis_url\n"
            f"store = RedisLedgerStore(connect(parse_redis_url({self.server.url!r})))\n"
        )


def _until_exit(server: Any) -> Any:
    atexit.register(server.close)
    return server.start()


@cache
def _redis_7() -> Server:
    if REDIS_7 is None:
        pytest.skip("redis-server is not installed")
    return _until_exit(Server(binary=REDIS_7))


@cache
def _valkey() -> Server:
    return _until_exit(Server())


@cache
def _cluster() -> Cluster:
    return _until_exit(Cluster())


class Redis7Place(_RedisPlace):
    start = staticmethod(_redis_7)


class ValkeyPlace(_RedisPlace):
    start = staticmethod(_valkey)


class ClusterPlace(_RedisPlace):
    """Three primaries."""

    start = staticmethod(_cluster)

    def _forget(self) -> None:
        for client in self.server.clients():
            client.flushall()
            client.close()


LOCAL_PLACES: list[type[Place]] = [SqlitePlace]
"""Those that go by the rules of `atectl.accounting` itself."""

PLACES: list[type[Place]] = [*LOCAL_PLACES, Redis7Place, ValkeyPlace, ClusterPlace]
