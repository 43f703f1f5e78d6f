"""One ledger for many hosts: what it costs the server, and one refresh of `ledger top`."""

import time
from contextlib import closing

import psutil

from atectl.ledger_store.overview import take_overview
from atectl.ledger_store.redis.store import RedisLedgerStore
from atectl.redis.connection import connect
from atectl.redis.settings import parse_redis_url
from tests.benchmarks.measuring import Row
from tests.support.lease_records import finish, make_lease
from tests.support.redis_servers import Server

ACCOUNTS, HOSTS, LEASES, RUNNING = 4096, 50, 12, 500
ROUNDS, REFRESHES = 20, 15


def rows() -> list[Row]:
    """What 50 hosts with 12 busy leases each, told once a second, cost a server; and one look."""
    with Server() as server, closing(_opened(server)) as store:
        now = time.time()
        store.flush(
            finish(
                make_lease(
                    id=f"l{n}", principal=f"p{n}", peak_bytes=n + 1, started_at=now, updated_at=now
                )
            )
            for n in range(ACCOUNTS)
        )
        share = _share_of_a_core(server)
        store.flush(
            make_lease(id=f"r{n}", principal=f"p{n}", started_at=now, updated_at=time.time())
            for n in range(RUNNING)
        )
        refresh_ms = _refresh_ms(store)
    what = f"{HOSTS} hosts with {LEASES} busy leases each: the server"
    look = f"one refresh of `ledger top`: {ACCOUNTS:,} accounts, {RUNNING} leases"
    return [
        Row(what, share * 100, "% of a core", 6, "each told once a second"),
        Row(look, refresh_ms, " ms", 50, "two round trips; the least of 15"),
    ]


def _opened(server: Server) -> RedisLedgerStore:
    return RedisLedgerStore(connect(parse_redis_url(server.url)))


def _share_of_a_core(server: Server) -> float:
    hosts = [_opened(server) for _ in range(HOSTS)]
    process = psutil.Process(server.pid)

    def tell(second: int) -> None:
        now = time.time()
        for number, host in enumerate(hosts):
            host.flush(
                make_lease(
                    id=f"h{number}-{n}",
                    principal=f"p{number * LEASES + n}",
                    host=f"h{number}",
                    started_at=now - 9,
                    updated_at=now,
                    cpu_s=second * 0.1,
                    byte_seconds=second * 1e6,
                    fuel=second * 1000,
                )
                for n in range(LEASES)
            )

    tell(0)
    before = process.cpu_times()
    for second in range(1, ROUNDS + 1):
        tell(second)
    after = process.cpu_times()
    for host in hosts:
        host.close()
    return (after.user + after.system - before.user - before.system) / ROUNDS


def _refresh_ms(store: RedisLedgerStore) -> float:
    took = []
    for _ in range(REFRESHES):
        began = time.perf_counter()
        take_overview(store)
        took.append(time.perf_counter() - began)
    return min(took) * 1000
