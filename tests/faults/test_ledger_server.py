"""Many hosts tell one server, in bad times: what is summed there is exactly what they told."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from atectl.errors import LedgerError
from atectl.ledger_store.records import LeaseRecord
from atectl.ledger_store.redis.store import RedisLedgerStore
from atectl.redis.connection import connect
from atectl.redis.errors import RedisFailure
from atectl.redis.settings import parse_redis_url
from tests.support.lease_records import begin, finish, use_more
from tests.support.redis_servers import Server
from tests.support.waiting import wait_until

HOSTS, FLUSHES, LEASES = 12, 30, 4
PRINCIPALS = 40


class Host(threading.Thread):
    """A host that tells of leases that grow, and tells again whatever was not acknowledged."""

    def __init__(self, server: Server, number: int, seed: int) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._number = number
        self._random = random.Random(seed)
        self._store: RedisLedgerStore | None = None
        self._owed: dict[str, LeaseRecord] = {}
        self.told: dict[str, LeaseRecord] = {}
        self.flushed = 0

    def run(self) -> None:
        for flush in range(FLUSHES):
            for place in range(LEASES):
                self._grow(f"{self._number}-{place}-{flush // 10}", flush)
            self._flush()
            self.flushed += 1
        self.settle()

    def settle(self) -> None:
        """Tell what is still owed."""
        while self._owed:
            self._flush()
            if self._owed:
                time.sleep(0.02)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def _grow(self, name: str, flush: int) -> None:
        now = time.time()
        principal = f"p{self._random.randrange(PRINCIPALS)}"
        lease = self.told.get(name) or begin(name, principal, f"host-{self._number}", now)
        lease = use_more(lease, now, self._random)
        if flush % 10 == 9:
            lease = finish(lease)
        self.told[name] = self._owed[name] = lease

    def _flush(self) -> None:
        owed = dict(self._owed)
        try:
            if self._store is None:
                settings = parse_redis_url(self._server.url)._replace(timeout_s=2.0, retries=0)
                self._store = RedisLedgerStore(connect(settings))
            self._store.flush(owed.values())
            if self._random.random() < 0.2:  # told again
                self._store.flush(owed.values())
        except (LedgerError, RedisFailure):
            return
        self._owed = {}


def sums(leases: Iterator[LeaseRecord]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for lease in leases:
        new = (
            1, lease.fuel, round(lease.cpu_s * 1e6), round(lease.byte_seconds * 1000),
            lease.refused_growths,
        )  # fmt: skip
        old = found.get(lease.principal, (0,) * len(new))
        found[lease.principal] = tuple(map(sum, zip(old, new, strict=True)))
    return found


def kept_by(server: Server) -> dict[str, tuple[int, ...]]:
    with closing(RedisLedgerStore(connect(parse_redis_url(server.url)))) as store:
        return {
            account.principal: (
                account.leases, account.fuel, round(account.cpu_s * 1e6),
                round(account.byte_seconds * 1000), account.refused_growths,
            )
            for account in store.accounts()
        }  # fmt: skip


def by_day(server: Server) -> dict[str, tuple[int, ...]]:
    with closing(RedisLedgerStore(connect(parse_redis_url(server.url)))) as store:
        today = int(time.time() // 86_400)
        found: dict[str, tuple[int, ...]] = {}
        for day in store.days(today - 1, today + 1):
            new = (day.leases, day.fuel, day.cpu_us, day.byte_ms, day.refused_growths)
            old = found.get(day.principal, (0,) * len(new))
            found[day.principal] = tuple(map(sum, zip(old, new, strict=True)))
        return found


def run_hosts(server: Server, trouble: list[float]) -> list[Host]:
    """Run all hosts. The server is killed and started again when so much of all was flushed."""
    hosts = [Host(server, number, seed=number) for number in range(HOSTS)]
    for host in hosts:
        host.start()
    stop = threading.Event()
    cutter = threading.Thread(target=cut_connections, args=(server, stop), daemon=True)
    cutter.start()
    for share in trouble:
        wait_until(lambda s=share: sum(h.flushed for h in hosts) >= s * HOSTS * FLUSHES)
        server.kill()
        server.start()
    for host in hosts:
        host.join(120)
        assert not host.is_alive()
    stop.set()
    cutter.join()
    return hosts


def cut_connections(server: Server, stop: threading.Event) -> None:
    chance = random.Random(7)
    while not stop.wait(0.05):
        try:
            with closing(server.client(socket_timeout=1)) as client:
                clients = [each["id"] for each in client.client_list()]
                client.client_kill_filter(_id=chance.choice(clients))
        except Exception:  # the server is away, or it was this connection
            continue


@pytest.mark.slow
def test_sums_are_exact_when_connections_break_and_a_server_that_stores_is_killed() -> None:
    with Server("appendonly yes", "appendfsync always") as server:
        hosts = run_hosts(server, [0.4])
        told = sums(lease for host in hosts for lease in host.told.values())
        assert kept_by(server) == told
        assert by_day(server) == told
        for host in hosts:
            host.close()


@pytest.mark.slow
def test_sums_are_exact_once_hosts_have_told_a_server_that_lost_all_of_it_again() -> None:
    with Server() as server:
        hosts = run_hosts(server, [0.3, 0.6])
        # Each notices with its next flush that the server knows less than it had acknowledged.
        for host in hosts:
            host._owed = dict(list(host.told.items())[-1:])
            host.settle()
        told = sums(lease for host in hosts for lease in host.told.values())
        assert kept_by(server) == told
        for host in hosts:
            host.close()
