"""Hosts that tell one server of their leases, in bad times: what it sums is what they told.

`python -m tests.faults.many_hosts [HOSTS] [SECONDS] [PRINCIPALS]` tries that twice (50, 60, 4096):
with a server that stores each command, and with one that stores once a second. Each host is a
process that flushes ten times a second. Two of them are killed, and the server is, once;
connections are cut; flushes are repeated, and older ones sent late.

`python -m tests.faults.many_hosts churn [PRINCIPALS]` has so many (100,000) pass through the bound.
"""

import pickle
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from atectl.accounting import MAX_PRINCIPALS
from atectl.errors import LedgerBusy, LedgerError
from atectl.ledger_store.records import LeaseRecord
from atectl.ledger_store.redis.store import RedisLedgerStore
from atectl.redis.connection import connect
from atectl.redis.errors import RedisFailure
from atectl.redis.settings import parse_redis_url
from tests.support.lease_records import begin, finish, make_lease, use_more
from tests.support.redis_servers import Server
from tests.support.waiting import wait_until

LEASES, FLUSHES_OF_A_LEASE = 8, 20
KILLED = 2
_INTERVAL_S = 0.1
_SETTLED_S = 120.0
_WRONG = (LedgerError, RedisFailure)

Sums = dict[str, tuple[int, ...]]
"""By principal: leases, fuel, CPU in microseconds, byte-milliseconds, refused growths."""


class Trial(NamedTuple):
    """How a trial went."""

    sums: int
    wrong: int
    flushes: int
    leases: int
    refused_older: int


def store_at(url: str) -> RedisLedgerStore:
    return RedisLedgerStore(connect(parse_redis_url(url)._replace(timeout_s=5.0, retries=0)))


class Host:
    """What a host process does: its leases grow, and it tells again what was not acknowledged.

    Args:
        notes: where it writes what it told: before each flush if it is to be killed.
    """

    def __init__(self, url: str, number: int, principals: int, notes: Path) -> None:
        self._url = url
        self._number = number
        self._principals = principals
        self._notes = notes
        self._random = random.Random(number)
        self._store: RedisLedgerStore | None = None
        self._owed: dict[str, LeaseRecord] = {}
        self.told: dict[str, LeaseRecord] = {}
        self.flushes = self.refused_older = 0

    def run(self, seconds: float, *, is_victim: bool) -> None:
        ends = time.monotonic() + seconds
        round_number = 0
        while time.monotonic() < ends or is_victim:
            due = time.monotonic() + _INTERVAL_S
            for place in range(LEASES):
                self._grow(place, round_number)
            if is_victim:
                self._note("next")
            if self._flush() and is_victim:
                self._note_path("next").replace(self._note_path("told"))
            round_number += 1
            time.sleep(max(due - time.monotonic(), 0))
        self._settle()
        self._note("told")

    def _settle(self) -> None:
        """Tell what is owed; and what was told last, so that a server that lost it is noticed."""
        self._owed |= dict(list(self.told.items())[-1:])
        while not self._flush():
            time.sleep(0.05)

    def _grow(self, place: int, round_number: int) -> None:
        now, name = time.time(), f"{self._number}-{place}-{round_number // FLUSHES_OF_A_LEASE}"
        principal = f"p{self._random.randrange(self._principals)}"
        lease = self.told.get(name) or begin(name, principal, f"host-{self._number}", now)
        lease = use_more(lease, now, self._random)
        if round_number % FLUSHES_OF_A_LEASE == FLUSHES_OF_A_LEASE - 1:
            lease = finish(lease)
        self.told[name] = self._owed[name] = lease

    def _flush(self) -> bool:
        owed = dict(self._owed)
        try:
            if self._store is None:
                self._store = store_at(self._url)
            self._store.flush(owed.values())
            self.flushes += 1
            if self._random.random() < 0.1:  # told again
                self._store.flush(owed.values())
        except _WRONG:
            return False
        self._owed = {}
        if self._random.random() < 0.05:
            self._send_late(owed)
        return True

    def _send_late(self, owed: dict[str, LeaseRecord]) -> None:
        """An older flush arrives after a newer one: with less in it, and the number that it had."""
        store = self._store
        assert store is not None
        older = [lease._replace(fuel=0, cpu_s=0.0, refused_growths=0) for lease in owed.values()]
        session = store._session
        sequence = session.sequence
        session.sequence = max(sequence - self._random.randrange(1, 5), 0)
        try:
            store._tell(older)
        except LedgerBusy:
            self.refused_older += 1
        except _WRONG:
            pass
        finally:
            session.sequence = sequence

    def _note_path(self, name: str) -> Path:
        return self._notes / f"{self._number}.{name}"

    def _note(self, name: str) -> None:
        kept = (sums_of(self.told), self.flushes, len(self.told), self.refused_older)
        path = self._note_path(name)
        path.with_suffix(".part").write_bytes(pickle.dumps(kept))
        path.with_suffix(".part").replace(path)


def sums_of(told: dict[str, LeaseRecord]) -> Sums:
    found: Sums = {}
    for lease in told.values():
        new = (
            1, lease.fuel, round(lease.cpu_s * 1e6), round(lease.byte_seconds * 1000),
            lease.refused_growths,
        )  # fmt: skip
        add(found, lease.principal, new)
    return found


def add(sums: Sums, name: str, new: tuple[int, ...]) -> None:
    sums[name] = tuple(map(sum, zip(sums.get(name, (0,) * len(new)), new, strict=True)))


def try_hosts(hosts: int, seconds: float, principals: int, *options: str) -> Trial:
    """Run them, kill two and the server, cut connections; compare sums.

    Raises:
        AssertionError: a host did not come to its end.
    """
    with TemporaryDirectory() as folder, Server(*options) as server:
        notes = Path(folder)
        command = [sys.executable, "-m", "tests.faults.many_hosts", "host", server.url]
        processes = [
            subprocess.Popen([*command, str(number), str(seconds), str(principals), folder])
            for number in range(hosts)
        ]
        stop = threading.Event()
        cutter = threading.Thread(target=cut_connections, args=(server, stop), daemon=True)
        cutter.start()
        try:
            wait_until(lambda: (notes / "0.told").exists() and (notes / "1.told").exists(), 60)
            time.sleep(seconds / 3)
            for victim in processes[:KILLED]:
                victim.kill()
            time.sleep(seconds / 6)
            server.kill()
            server.start()
            for process in processes[KILLED:]:
                assert process.wait(seconds + _SETTLED_S) == 0
        finally:
            stop.set()
            cutter.join()
            for process in processes:
                process.kill()
                process.wait()
        return compare(server, notes, hosts)


def compare(server: Server, notes: Path, hosts: int) -> Trial:
    """What the server has summed, and what the hosts told it.

    The last flush of a host that was killed may have arrived or not: the server's sum of that host
    tells which.
    """
    told: Sums = {}
    counts: Counter[str] = Counter()
    with closing(store_at(server.url)) as store:
        of_hosts: Sums = {}
        for each in store.totals():
            add(of_hosts, each.host, (each.leases, each.fuel, each.cpu_us, each.byte_ms))
        wrong_hosts = 0
        for number in range(hosts):
            for name in ("told", "next"):
                path = notes / f"{number}.{name}"
                if not path.exists():
                    continue
                sums, flushes, leases, refused = pickle.loads(path.read_bytes())
                whole = tuple(map(sum, zip(*sums.values(), strict=True)))[:-1]
                if of_hosts.get(f"host-{number}") == whole:
                    break
            else:
                wrong_hosts += 1
            counts.update(flushes=flushes, leases=leases, refused=refused)
            for principal, new in sums.items():
                add(told, principal, new)
        kept: Sums = {
            account.principal: (
                account.leases, account.fuel, round(account.cpu_s * 1e6),
                round(account.byte_seconds * 1000), account.refused_growths,
            )
            for account in store.accounts()
        }  # fmt: skip
    wrong = wrong_hosts + sum(
        kept.get(principal) != told.get(principal) for principal in kept.keys() | told.keys()
    )
    return Trial(len(told), wrong, counts["flushes"], counts["leases"], counts["refused"])


def cut_connections(server: Server, stop: threading.Event) -> None:
    chance = random.Random(7)
    while not stop.wait(0.1):
        with suppress(Exception), closing(server.client(socket_timeout=1)) as client:
            clients = [each["id"] for each in client.client_list()]
            client.client_kill_filter(_id=chance.choice(clients))


def churn(principals: int, capacity: int = MAX_PRINCIPALS) -> tuple[int, int]:
    """Have principals pass through the bound; how many accounts are kept, and how many are wrong.

    Each has one lease, in a random order of peaks. The model keeps what the rule says: a newcomer
    displaces the lowest peak, of equals the oldest, if its own is strictly larger.
    """
    chance = random.Random(3)
    naive: list[tuple[int, int, str, int]] = []
    now = time.time()
    with (
        Server() as server,
        closing(RedisLedgerStore(connect(parse_redis_url(server.url)), capacity=capacity)) as store,
    ):
        for begin in range(0, principals, 100):
            leases = [
                finish(
                    make_lease(
                        id=f"{number}", principal=f"p{number}", started_at=now, updated_at=now,
                        peak_bytes=chance.randrange(1, principals // 2), fuel=chance.randrange(100),
                    )
                )
                for number in range(begin, min(begin + 100, principals))
            ]  # fmt: skip
            store.flush(leases)
            for lease in leases:
                entry = (lease.peak_bytes, int(lease.id), lease.principal, lease.fuel)
                if len(naive) < capacity:
                    naive.append(entry)
                    continue
                lowest = min(naive)
                if lease.peak_bytes > lowest[0]:
                    naive[naive.index(lowest)] = entry
        kept = {(a.principal, a.peak_bytes, a.fuel) for a in store.accounts()}
    expected = {(principal, peak, fuel) for peak, _, principal, fuel in naive}
    return len(kept), len(kept ^ expected)


def main(words: list[str]) -> int:
    if words[:1] == ["host"]:
        url, number, seconds, principals, folder = words[1:]
        host = Host(url, int(number), int(principals), Path(folder))
        host.run(float(seconds), is_victim=int(number) < KILLED)
        return 0
    if words[:1] == ["churn"]:
        kept, wrong = churn(int((words[1:] or ["100000"])[0]))
        print(f"{kept} accounts, {wrong} wrong")
        return int(wrong > 0)
    given = [*map(int, words), *(50, 60, MAX_PRINCIPALS)[len(words) :]]
    has_wrong = False
    for stored in ("always", "everysec"):
        trial = try_hosts(*given, "appendonly yes", f"appendfsync {stored}")
        print(f"appendfsync {stored}: {trial}", flush=True)
        has_wrong |= trial.wrong > 0
    return int(has_wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
