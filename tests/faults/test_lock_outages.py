"""Servers that go away while locks are held, waited for, listed and released.

Each test ends with the servers in whatever state it left them: the fixtures mend that.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from atectl.locks.listing import list_locks
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.reading import Reading
from atectl.redis.settings import redis_settings
from tests.conftest import CAPSULES
from tests.support.lock_holding import Work, held, holding
from tests.support.ports import free_port
from tests.support.processes import is_alive
from tests.support.program import ATECTL
from tests.support.redis_servers import Cluster, SentinelGroup, Server
from tests.support.waiting import SOON_S, wait_until

TTL = "15s"
"""The lock is lost ten seconds after the last renewal. A failover takes two or four."""


def key_of(actor: str) -> str:
    return f"lock:actor:{actor.replace('/', ':')}"


@contextmanager
def guest_running(url: str, actor: str) -> "Iterator[subprocess.Popen[bytes]]":
    """A guest that runs for as long as it may, under an actor's lock."""
    words = ["--actor", actor, "--lock-ttl", TTL, "--deadline", "none", CAPSULES / "sleep.wat"]
    process = subprocess.Popen(
        [ATECTL, "run", *map(str, words)],
        env={**os.environ, "ATECTL_REDIS_URL": url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until_renewed(server: Server, *actors: str) -> None:
    """Wait until each of the locks has had more of its TTL left than a moment before."""
    with contextlib.closing(server.client()) as client:
        seen_ms = {actor: client.pttl(key_of(actor)) for actor in actors}
        waiting = set(actors)

        def have_risen() -> bool:
            for actor in list(waiting):
                left_ms = client.pttl(key_of(actor))
                if left_ms > seen_ms[actor]:
                    waiting.discard(actor)
                seen_ms[actor] = left_ms
            return not waiting

        wait_until(have_risen)


def until_in(replica: Server, *actors: str) -> None:
    """Wait until a replica has the locks, as replication is not waited for by anybody."""
    with contextlib.closing(replica.client()) as client:
        with contextlib.suppress(ResponseError):  # one of Sentinels answers in any case
            client.execute_command("READONLY")
        for actor in actors:
            wait_until(lambda actor=actor: client.exists(key_of(actor)))


def until_due(server: Server, actor: str) -> None:
    """Wait until a lock is renewed soon, so that an outage that begins now meets the renewal."""
    with contextlib.closing(server.client()) as client:
        wait_until(lambda: 0 < client.pttl(key_of(actor)) < 10_400)


# One address is all that is known


@pytest.mark.slow
def test_work_goes_on_when_the_node_of_the_url_dies_with_its_own_shard(
    replicated: Cluster, tmp_path: Path
) -> None:
    primary = replicated.owner_of("lock:actor:team:a0")
    replica = replicated.replica_of(primary)
    held_by_command, held_by_guest = (replicated.actor_on(primary, kind) for kind in "ab")
    work = Work(tmp_path)
    with (
        holding(
            primary.url, "--lock-ttl", TTL, command=work.command, actor=held_by_command
        ) as command,
        guest_running(primary.url, held_by_guest) as guest,
    ):
        work.begun()
        until_in(replica, held_by_command, held_by_guest)
        until_due(primary, held_by_command)
        replicated.fail_over(primary)
        until_renewed(replica, held_by_command, held_by_guest)
        work.may_end()
        _, told = command.communicate(timeout=SOON_S)
        assert (command.returncode, told) == (0, b"")
        assert guest.poll() is None
        guest.send_signal(signal.SIGTERM)
        assert guest.wait(SOON_S) == 143
    with contextlib.closing(replica.client()) as client:
        assert not client.exists(key_of(held_by_command))
        assert not client.exists(key_of(held_by_guest))


@pytest.mark.slow
def test_work_goes_on_when_the_master_and_the_sentinel_of_the_url_die_together(
    sentinel: SentinelGroup, tmp_path: Path
) -> None:
    work = Work(tmp_path)
    with (
        holding(sentinel.url, "--lock-ttl", TTL, command=work.command, actor="team/a") as command,
        guest_running(sentinel.url, "team/b") as guest,
    ):
        work.begun()
        until_in(sentinel.replica, "team/a", "team/b")
        until_due(sentinel.master, "team/a")
        sentinel.sentinels[0].kill()
        sentinel.master.kill()
        until_renewed(sentinel.replica, "team/a", "team/b")
        work.may_end()
        _, told = command.communicate(timeout=SOON_S)
        assert (command.returncode, told) == (0, b"")
        assert guest.poll() is None


def test_any_of_several_hosts_is_enough(replicated: Cluster) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    alive = replicated.servers[1].address
    for url in (f"redis://{nobody},{alive}", f"redis://{alive},{nobody}"):
        assert held(url, command=["true"]).returncode == 0
    dead = f"redis://{nobody}"
    again = held(
        "redis://in-the-environment", "--redis", dead, "--redis", f"redis://{alive}",
        command=["true"],
    )  # fmt: skip
    assert (again.returncode, again.stderr) == (0, "")


def test_a_host_that_hangs_holds_up_nobody_who_knows_another(replicated: Cluster) -> None:
    replicated.servers[4].stop()
    url = f"redis://{replicated.servers[4].address},{replicated.servers[1].address}"
    with connect(redis_settings(url, timeout="20s")) as connection:
        assert connection.client.ping()


@pytest.mark.parametrize("kind", ["cluster", "sentinel"])
def test_whoever_connects_anew_uses_the_servers_that_were_learned(
    request: pytest.FixtureRequest, kind: str
) -> None:
    place = request.getfixturevalue("replicated" if kind == "cluster" else kind)
    seed = place.servers[3] if kind == "cluster" else place.sentinels[0]
    with connect(redis_settings(seed.url)) as connection:
        seed.kill()
        with connection.fresh() as other, connection.fresh() as third:
            assert other.kind == third.kind == kind
            assert other.client.set("key", "value")


@pytest.mark.parametrize("end", [Server.kill, Server.stop], ids=["killed", "suspended"])
def test_a_wait_goes_on_through_a_failover(
    replicated: Cluster, tmp_path: Path, end: Callable[[Server], None]
) -> None:
    primary = replicated.owner_of("lock:actor:team:a0")
    replica = replicated.replica_of(primary)
    actor = replicated.actor_on(primary)
    with contextlib.closing(primary.client()) as client:
        client.set(key_of(actor), "somebody", px=60_000)
        client.config_resetstat()
    until_in(replica, actor)
    command = ["touch", str(tmp_path / "ran")]
    options = ("--lock-wait", "60s", "--redis-timeout", "1s")
    with holding(primary.url, *options, command=command, actor=actor) as process:
        until_asked(primary)
        end(primary)
        replicated.wait_for_promotion(replica)
        with contextlib.closing(replica.client()) as client:
            client.delete(key_of(actor))
        _, told = process.communicate(timeout=SOON_S)
    assert (process.returncode, told) == (0, b"")
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("end", [Server.kill, Server.stop], ids=["killed", "suspended"])
def test_whoever_stays_connected_lists_the_locks_of_a_successor(
    replicated: Cluster, end: Callable[[Server], None]
) -> None:
    primary = replicated.owner_of("lock:actor:team:a0")
    replica, actor = replicated.replica_of(primary), replicated.actor_on(primary)
    other = next(each for each in replicated.living if each not in (primary, replica))
    with contextlib.closing(primary.client()) as client:
        client.set(key_of(actor), "somebody")
    until_in(replica, actor)
    with connect(redis_settings(other.url, timeout="2s")) as connection:
        connection.look_anew()
        end(primary)
        replicated.wait_for_promotion(replica)
        wait_until(lambda: _listed(connection) == [key_of(actor)])


def _listed(connection: RedisConnection) -> list[str | None]:
    return [lock.key for lock in list_locks(Reading(connection))]


def until_asked(server: Server) -> None:
    """Wait until somebody has asked a server for a lock."""
    with contextlib.closing(server.client()) as client:
        wait_until(lambda: "cmdstat_evalsha" in client.info("commandstats"))


def test_a_wait_goes_on_when_a_master_behind_sentinels_hangs(
    sentinel: SentinelGroup, tmp_path: Path
) -> None:
    with contextlib.closing(sentinel.master.client()) as client:
        client.set(key_of("team/a"), "somebody", px=60_000)
    until_in(sentinel.replica, "team/a")
    options = ("--lock-wait", "60s", "--redis-timeout", "1s")
    with holding(sentinel.url, *options, command=["true"], actor="team/a") as process:
        until_asked(sentinel.master)
        sentinel.master.stop()
        sentinel.wait_for_master(sentinel.replica)
        with contextlib.closing(sentinel.replica.client()) as client:
            client.delete(key_of("team/a"))
        _, told = process.communicate(timeout=SOON_S)
    assert (process.returncode, told) == (0, b"")


@pytest.mark.parametrize("command", ["hold", "run"])
def test_a_wait_begins_before_there_is_a_server(command: str) -> None:
    server = Server()
    words = {
        "hold": ["locks", "hold", "--lock-wait", "60s", "team/web", "--", "true"],
        "run": ["run", "--actor", "team/web", "--lock-wait", "60s", CAPSULES / "hello.wat"],
    }
    process = subprocess.Popen(
        [ATECTL, *map(str, words[command])],
        env={**os.environ, "ATECTL_REDIS_URL": server.url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        with server:
            assert process.wait(SOON_S) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_wait_for_a_server_that_never_comes_says_so_in_the_end() -> None:
    ended = held(f"redis://127.0.0.1:{free_port()}", "--lock-wait", "500ms", command=["true"])
    assert ended.returncode == 125
    assert ended.stderr.startswith("error[E501]: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_for_a_server(number: signal.Signals) -> None:
    url = f"redis://127.0.0.1:{free_port()}"
    with holding(url, "--lock-wait", "60s", command=["true"]) as process:
        wait_until(lambda: _catches(process.pid, number))
        process.send_signal(number)
        assert process.wait(SOON_S) == 128 + number
        assert not is_alive(process.pid)


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal that ends others."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
    # Python itself handles SIGINT from its start.
    return all(int(caught, 16) & 1 << each - 1 for each in (number, signal.SIGHUP))
