"""What holders of actor locks may rely on, with real servers, real processes and real faults."""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atectl.locks.errors import LockLost
from atectl.locks.heartbeat import LockTimes
from atectl.locks.holder_record import Holder
from atectl.locks.holding import HeldLock, LockTerms, acquire
from atectl.locks.keys import companion_keys
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.settings import parse_redis_url
from tests.support.lock_holding import (
    Resource,
    Work,
    held,
    holding,
    start_holding,
    telling_pid,
)
from tests.support.processes import children_of, is_alive, pid_in
from tests.support.redis_servers import Cluster, SentinelGroup, Server
from tests.support.waiting import SOON_S, wait_until

KEY = "lock:actor:team:web"

CONTENDERS = 5
CHAOS_S = 10.0
CHAOS_TTL_S = 1.5
LEAST_HOLDERS = 4


def taken(connection: RedisConnection, ttl_s: float) -> HeldLock:
    holder = Holder("host", 1, "test")
    return acquire(connection, LockTerms("team/web", KEY, holder, LockTimes(ttl_s), None))


@pytest.fixture
def resource() -> Iterator[Resource]:
    resource = Resource()
    yield resource
    resource.close()


@pytest.fixture
def durable_valkey() -> Iterator[Server]:
    """A Valkey that has on disk what it has answered."""
    with Server("appendonly yes", "appendfsync always") as server:
        yield server


# Mutual exclusion


class Chaos:
    """Contenders for one lock, paused and killed at random, while their servers are disturbed.

    Args:
        url: where the lock is.
        disturb: does something to the servers; called a few times.
        resource: what the holders write to.
        randomness: where everything random comes from.
        ttl_s: the TTL of the lock.
    """

    def __init__(
        self,
        url: str,
        disturb: Callable[[], object],
        resource: Resource,
        randomness: random.Random,
        ttl_s: float = CHAOS_TTL_S,
    ) -> None:
        self.url = url
        self.disturb = disturb
        self.resource = resource
        self.random = randomness
        self.ttl_s = ttl_s
        self.running: list[subprocess.Popen[bytes]] = []
        self.paused: list[tuple[float, subprocess.Popen[bytes]]] = []
        self.touched: set[int] = set()
        """Contenders that were paused or killed."""
        self.lost: list[str] = []
        """What contenders said that lost the lock though nobody touched them."""

    def go_on_for(self, seconds: float, disturbances: int = 2) -> None:
        until = time.monotonic() + seconds
        share = seconds / (disturbances + 1)
        instants = [until - share * number for number in range(disturbances, 0, -1)]
        while time.monotonic() < until or len(set(self.fences)) < LEAST_HOLDERS:
            assert time.monotonic() < until + SOON_S, "too few came to hold the lock"
            self._replace_ended()
            self._resume_some()
            if instants and time.monotonic() > instants[0]:
                instants.pop(0)
                self.disturb()
            self._disturb_one()
            time.sleep(self.random.uniform(0.05, 0.3))

    @property
    def fences(self) -> list[int]:
        """With which numbers the resource was written to, in order."""
        return [write.fence for write in list(self.resource.writes) if write.is_accepted]

    def _replace_ended(self) -> None:
        for process in [process for process in self.running if process.poll() is not None]:
            _, told = process.communicate()
            self.running.remove(process)
            if process.returncode == 125 and process.pid not in self.touched:
                self.lost.append(told.decode())
        while len(self.running) < CONTENDERS:
            command = self.resource.writer(self.random.uniform(0.1, 1.0))
            options = ("--lock-ttl", f"{self.ttl_s}s", "--lock-wait", "60s")
            self.running.append(start_holding(self.url, *options, command=command))

    def _resume_some(self) -> None:
        for instant, process in [each for each in self.paused if each[0] <= time.monotonic()]:
            self.paused.remove((instant, process))
            process.send_signal(signal.SIGCONT)

    def _disturb_one(self) -> None:
        process = self.random.choice(self.running)
        fate = self.random.random()
        if fate < 0.35 and len(self.paused) < CONTENDERS - 2:
            self.touched.add(process.pid)
            process.send_signal(signal.SIGSTOP)
            pause_s = self.random.uniform(0.1, 2 * self.ttl_s)
            self.paused.append((time.monotonic() + pause_s, process))
        elif fate < 0.45:
            self.touched.add(process.pid)
            process.kill()

    def end(self) -> None:
        for process in self.running:
            process.kill()
            process.communicate()


def assert_no_loser_wrote(chaos: Chaos) -> None:
    assert chaos.fences == sorted(chaos.fences)
    for fence in set(chaos.fences):
        assert len(chaos.resource.tokens(fence)) == 1


@pytest.mark.slow
def test_no_write_of_a_loser_is_accepted_whatever_is_paused_killed_or_restarted(
    durable_valkey: Server, resource: Resource
) -> None:
    chaos = Chaos(durable_valkey.url, durable_valkey.restart, resource, random.Random())
    try:
        chaos.go_on_for(CHAOS_S)
    finally:
        chaos.end()
    assert_no_loser_wrote(chaos)


@pytest.mark.slow
def test_no_write_of_a_loser_is_accepted_and_no_work_is_lost_while_a_cluster_fails_over(
    replicated: Cluster, resource: Resource
) -> None:
    """The primary of the lock's own shard dies again and again, and with it the node of the URL.

    Nothing that is written is lost: each failover waits until the replica has all of it.
    """
    url = f"redis://{','.join(server.address for server in replicated.servers)}"

    def fail_over() -> None:
        # A failover that loses writes may hand out a lock twice, which no client can mend.
        primary = replicated.owner_of(KEY)
        with contextlib.closing(primary.client()) as client:
            client.execute_command("CLIENT", "PAUSE", 10_000, "WRITE")
            sent = client.info("replication")["master_repl_offset"]
            replica = replicated.replica_of(primary)
            with contextlib.closing(replica.client()) as follower:
                wait_until(lambda: follower.info("replication")["slave_repl_offset"] >= sent)
        primary.kill()
        replicated.wait_for_promotion(replica)
        primary.restart()
        replicated.wait_until_whole()

    chaos = Chaos(url, fail_over, resource, random.Random(), ttl_s=12.0)
    try:
        chaos.go_on_for(CHAOS_S)
    finally:
        chaos.end()
    assert_no_loser_wrote(chaos)
    assert chaos.lost == []


def test_at_any_instant_one_of_many_is_inside(any_server: Server, tmp_path: Path) -> None:
    shelf = tmp_path / "inside"
    command = ["sh", "-c", f"mkdir {shelf} || exit 9; sleep 0.05; rmdir {shelf}"]
    processes = [
        start_holding(any_server.url, "--lock-ttl", "2s", "--lock-wait", "60s", command=command)
        for _ in range(8)
    ]
    for process in processes:
        process.communicate(timeout=SOON_S)
    assert [process.returncode for process in processes] == [0] * 8
    with contextlib.closing(any_server.client()) as client:
        assert client.get(companion_keys(KEY).fence) == b"8"


def test_a_server_that_forgot_the_lock_costs_its_holder_the_lock(
    any_server: Server, tmp_path: Path
) -> None:
    command = telling_pid(tmp_path, "exec sleep 60")
    with holding(any_server.url, "--lock-ttl", "1500ms", command=command) as process:
        pid = pid_in(tmp_path)
        any_server.restart()
        _, stderr = process.communicate(timeout=SOON_S)
        assert process.returncode == 125
        assert b"error[E541]: the lock is gone" in stderr
        assert not is_alive(pid)


def until_renewed(server: Server | SentinelGroup) -> None:
    """Wait until the lock has more of its TTL left than a moment before."""
    with contextlib.closing(server.client()) as client:
        seen_ms = [client.pttl(KEY)]

        def has_risen() -> bool:
            seen_ms.append(client.pttl(KEY))
            return seen_ms[-1] > seen_ms[-2]

        wait_until(has_risen)


def test_a_server_that_is_restarted_with_its_data_costs_nothing(
    durable_valkey: Server, tmp_path: Path
) -> None:
    work = Work(tmp_path)
    with holding(durable_valkey.url, "--lock-ttl", "6s", command=work.command) as process:
        work.begun()
        durable_valkey.restart()
        until_renewed(durable_valkey)
        work.may_end()
        process.communicate(timeout=SOON_S)
        assert process.returncode == 0


def test_a_failover_within_the_ttl_costs_nothing(sentinel: SentinelGroup, tmp_path: Path) -> None:
    work = Work(tmp_path)
    with holding(sentinel.url, "--lock-ttl", "15s", command=work.command) as process:
        work.begun()
        until_in_the_replica(sentinel)
        sentinel.failover()
        until_renewed(sentinel)
        work.may_end()
        process.communicate(timeout=SOON_S)
        assert process.returncode == 0


def until_in_the_replica(sentinel: SentinelGroup) -> None:
    with contextlib.closing(sentinel.replica.client()) as client:
        wait_until(lambda: client.exists(KEY))


# Liveness


@pytest.mark.parametrize("kind", ["valkey", "redis7", "cluster"])
def test_a_killed_holder_blocks_its_peer_for_one_ttl_at_most(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    server: Server | Cluster = request.getfixturevalue(kind)
    command = telling_pid(tmp_path, "exec sleep 60")
    with holding(server.url, "--lock-ttl", "1500ms", command=command) as process:
        pid_in(tmp_path)
        process.kill()
        with contextlib.closing(server.client()) as client:
            assert client.pttl(KEY) <= 1500
        assert held(server.url, "--lock-wait", "50s", command=["true"]).returncode == 0


def test_what_a_killed_holder_ran_is_dead_before_its_peer_begins(
    valkey: Server, tmp_path: Path
) -> None:
    grandchild = f"sh -c 'echo $$ > {tmp_path}/pid; exec sleep 60' & wait"
    with holding(valkey.url, "--lock-ttl", "5m", command=["sh", "-c", grandchild]) as process:
        pid = pid_in(tmp_path)
        process.kill()
        wait_until(lambda: not is_alive(pid))
        with contextlib.closing(valkey.client()) as client:
            assert client.exists(KEY)


def test_work_may_take_many_times_the_ttl(valkey: Server) -> None:
    ended = held(valkey.url, "--lock-ttl", "2s", "--deadline", "60s", command=["sleep", "6"])
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_deadline_ends_work_although_the_lock_is_held(any_server: Server) -> None:
    ended = held(any_server.url, "--deadline", "700ms", command=["sleep", "600"])
    assert ended.returncode == 124
    assert "error[E542]" in ended.stderr
    with contextlib.closing(any_server.client()) as client:
        assert not client.exists(KEY)


# Pauses, clocks and servers that hang


def test_what_a_paused_holder_ran_is_dead_before_the_ttl_has_run_out(
    valkey: Server, tmp_path: Path
) -> None:
    command = telling_pid(tmp_path, "trap '' TERM; while :; do sleep 0.01; done")
    with holding(valkey.url, "--lock-ttl", "6s", command=command) as process:
        pid = pid_in(tmp_path)
        paused_at = time.monotonic()
        process.send_signal(signal.SIGSTOP)
        died_at = wait_until(lambda: not is_alive(pid))
        assert died_at - paused_at < 6
        process.send_signal(signal.SIGCONT)
        _, stderr = process.communicate(timeout=SOON_S)
        assert process.returncode == 125
        assert b"error[E541]: no renewal of the lock was answered" in stderr


def test_a_holder_that_wakes_past_its_ttl_stops_its_work_first(
    valkey: Server, resource: Resource
) -> None:
    # All of it is paused, as by a machine that sleeps: nobody is there to keep the time.
    with holding(valkey.url, "--lock-ttl", "1s", command=resource.writer(60)) as process:
        wait_until(lambda: len(resource.writes) > 5)
        [guard] = children_of(process.pid)
        everybody = [process.pid, guard, *children_of(guard)]
        assert len(everybody) == 3
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: not valkey.client().exists(KEY))
        woken_at = time.monotonic()
        for pid in everybody:
            os.kill(pid, signal.SIGCONT)
        _, stderr = process.communicate(timeout=SOON_S)
        assert process.returncode == 125
        assert b"error[E541]" in stderr
        # Left to itself, it would have gone on for a minute.
        assert resource.writes[-1].at - woken_at < 10
        assert not valkey.client().exists(KEY)


@pytest.mark.parametrize("step_s", [3600, -3600])
def test_a_wall_clock_that_is_stepped_changes_nothing(
    valkey: Server, monkeypatch: pytest.MonkeyPatch, step_s: int
) -> None:
    real = time.time
    with connect(parse_redis_url(valkey.url)) as connection:
        lock = taken(connection, 3.0)
        told: list[float] = []
        lock.keep(told.append)
        monkeypatch.setattr(time, "time", lambda: real() + step_s)
        wait_until(lambda: len(told) >= 2)
        assert lock.look() is None
        assert valkey.client().get(KEY) == lock.token.encode()
        lock.release()


@pytest.mark.parametrize("kind", ["valkey", "redis7", "cluster"])
def test_a_server_that_hangs_costs_the_lock_before_its_ttl_could_have_run_out(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    server: Server | Cluster = request.getfixturevalue(kind)
    command = telling_pid(tmp_path, "trap '' TERM; while :; do sleep 0.01; done")
    with holding(server.url, "--lock-ttl", "6s", command=command) as process:
        pid = pid_in(tmp_path)
        for each in server.servers if isinstance(server, Cluster) else [server]:
            each.stop()
        hung_at = time.monotonic()
        died_at = wait_until(lambda: not is_alive(pid))
        assert died_at - hung_at < 6
        _, stderr = process.communicate(timeout=SOON_S)
        assert process.returncode == 125
        assert b"error[E541]: no renewal of the lock was answered" in stderr


def test_work_that_heeds_its_end_has_time_for_it(valkey: Server, tmp_path: Path) -> None:
    told = tmp_path / "told"
    trap = f"trap 'echo told > {told}; exit 0' TERM; while :; do sleep 0.01; done"
    with holding(valkey.url, "--lock-ttl", "6s", command=telling_pid(tmp_path, trap)) as process:
        pid_in(tmp_path)
        valkey.stop()
        process.communicate(timeout=SOON_S)
        assert told.read_text() == "told\n"
        assert process.returncode == 125


def test_a_server_that_hangs_for_less_than_the_ttl_allows_costs_nothing(
    any_server: Server, tmp_path: Path
) -> None:
    work = Work(tmp_path)
    with holding(any_server.url, "--lock-ttl", "6s", command=work.command) as process:
        work.begun()
        any_server.stop()
        time.sleep(2.2)  # a renewal is due after two seconds, and the lock lost after four
        any_server.cont()
        until_renewed(any_server)
        work.may_end()
        process.communicate(timeout=SOON_S)
        assert process.returncode == 0


def test_a_lock_released_by_force_ends_the_work_under_it(
    any_server: Server, tmp_path: Path
) -> None:
    command = telling_pid(tmp_path, "trap '' TERM; while :; do sleep 0.01; done")
    with holding(any_server.url, "--lock-ttl", "1500ms", command=command) as process:
        pid = pid_in(tmp_path)
        with contextlib.closing(any_server.client()) as client:
            client.set(KEY, "a successor", px=60_000)
        wait_until(lambda: not is_alive(pid))
        _, stderr = process.communicate(timeout=SOON_S)
        assert process.returncode == 125
        assert b"the lock is somebody else's now" in stderr
        with contextlib.closing(any_server.client()) as client:
            assert client.get(KEY) == b"a successor"


# Release


def test_a_release_never_deletes_a_successors_lock(any_server: Server) -> None:
    survived = 0
    with connect(parse_redis_url(any_server.url)) as connection:
        for number in range(300):
            lock = taken(connection, 30.0)
            usurper = threading.Thread(target=_usurp, args=(any_server, f"successor {number}"))
            usurper.start()
            with contextlib.suppress(LockLost):
                lock.release()
            usurper.join()
            with contextlib.closing(any_server.client()) as client:
                survived += client.get(KEY) == f"successor {number}".encode()
                client.delete(KEY)
    assert survived == 300


def _usurp(server: Server, token: str) -> None:
    with contextlib.closing(server.client()) as client:
        time.sleep(random.uniform(0, 0.001))
        client.set(KEY, token, px=30_000)
