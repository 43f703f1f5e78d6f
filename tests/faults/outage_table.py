"""Tries each outage on real servers and prints what the commands of locks do in it, as a table.

    python -m tests.faults.outage_table [WORDS]

The table stands in `atectl/locks/README.md`. WORDS try only the outages that contain them.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from atectl.redis.slots import slot_of
from tests.conftest import CAPSULES
from tests.support.lock_examples import token
from tests.support.program import ATECTL
from tests.support.redis_servers import Cluster, SentinelGroup, Server
from tests.support.waiting import wait_until

TTL_S = 9.0
"""A lock that cannot be renewed is lost after six seconds."""

WATCHED_S = 13.0
"""How long it is watched what becomes of held locks: longer than any of them lives unrenewed."""

HEADER = ("outage", "`ls`", "`show`", "`hold`, held", "`hold`, new", "`hold --lock-wait`",
          "`release`", "`run --actor`")  # fmt: skip


class Scene(NamedTuple):
    """A place with locks, before the outage.

    Attributes:
        url: where the commands look.
        actors: five names whose locks are on the same server.
        strike: what the outage is.
    """

    url: str
    actors: list[str]
    strike: Callable[[], object]


def key_of(actor: str) -> str:
    return f"lock:actor:{actor.replace('/', ':')}"


def clusters(*options: str) -> "contextmanager[Any]":
    return Cluster(*options, replicas=3, node_timeout_ms=600)  # type: ignore[return-value]


def in_cluster(cluster: Cluster, seed: Server, home: Server, strike: Callable[[], object]) -> Scene:
    return Scene(seed.url, [cluster.actor_on(home, kind) for kind in "abcde"], strike)


def with_second_host(scene: Scene, cluster: Cluster) -> Scene:
    """The URL names another node, too."""
    return scene._replace(url=f"{scene.url},{cluster.servers[1].address}")


@contextmanager
def other_node() -> Iterator[Scene]:
    with clusters() as cluster:
        first, second = cluster.servers[:2]
        yield in_cluster(cluster, first, first, second.kill)


@contextmanager
def seed_node() -> Iterator[Scene]:
    with clusters() as cluster:
        first, second = cluster.servers[:2]
        yield in_cluster(cluster, first, second, first.kill)


@contextmanager
def own_node() -> Iterator[Scene]:
    with clusters() as cluster:
        first = cluster.servers[0]
        yield with_second_host(in_cluster(cluster, first, first, first.kill), cluster)


@contextmanager
def own_shard() -> Iterator[Scene]:
    with clusters("cluster-require-full-coverage no") as cluster:
        first, second = cluster.servers[:2]
        gone = (cluster.replica_of(first), first)
        yield in_cluster(cluster, second, first, lambda: [each.kill() for each in gone])


@contextmanager
def other_shard() -> Iterator[Scene]:
    with clusters("cluster-require-full-coverage no") as cluster:
        first, second, third = cluster.servers[:3]
        gone = (cluster.replica_of(first), first)
        yield in_cluster(cluster, third, second, lambda: [each.kill() for each in gone])


@contextmanager
def half() -> Iterator[Scene]:
    with clusters() as cluster:
        first, second = cluster.servers[:2]
        gone = [each for one in (first, second) for each in (cluster.replica_of(one), one)]
        third = cluster.servers[2]
        yield in_cluster(cluster, third, third, lambda: [each.kill() for each in gone])


@contextmanager
def slow_node() -> Iterator[Scene]:
    with clusters() as cluster:
        first = cluster.servers[0]
        try:
            yield with_second_host(in_cluster(cluster, first, first, first.stop), cluster)
        finally:
            first.cont()


@contextmanager
def reshard() -> Iterator[Scene]:
    with clusters() as cluster:
        first, second = cluster.servers[:2]
        scene = in_cluster(cluster, first, first, lambda: None)

        def move() -> None:
            for actor in scene.actors:
                move_slot(slot_of(key_of(actor).encode()), first, second)

        yield scene._replace(strike=move)


def move_slot(slot: int, source: Server, target: Server) -> None:
    with contextlib.closing(source.client()) as a, contextlib.closing(target.client()) as b:
        ids = [one.execute_command("CLUSTER MYID").decode() for one in (a, b)]
        b.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        a.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        for key in a.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            a.migrate("127.0.0.1", target.port, key, 0, 5000)
        for one in (b, a):
            one.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[1])


@contextmanager
def master() -> Iterator[Scene]:
    with SentinelGroup() as group:
        yield Scene(group.url, [f"team/{kind}" for kind in "abcde"], group.master.kill)


@contextmanager
def one_sentinel() -> Iterator[Scene]:
    with SentinelGroup() as group:
        strike = group.sentinels[0].kill
        url = f"{group.url},{group.sentinels[1].address}"
        yield Scene(url, [f"team/{kind}" for kind in "abcde"], strike)


@contextmanager
def master_and_sentinel() -> Iterator[Scene]:
    with SentinelGroup() as group:
        gone = (group.sentinels[0], group.master)
        url = f"{group.url},{group.sentinels[1].address}"
        strike = lambda: [each.kill() for each in gone]  # noqa: E731
        yield Scene(url, [f"team/{kind}" for kind in "abcde"], strike)


@contextmanager
def all_sentinels() -> Iterator[Scene]:
    with SentinelGroup() as group:
        strike = lambda: [each.kill() for each in group.sentinels]  # noqa: E731
        yield Scene(group.url, [f"team/{kind}" for kind in "abcde"], strike)


@contextmanager
def revoked() -> Iterator[Scene]:
    with Server() as server, contextlib.closing(server.client()) as client:
        client.execute_command("ACL", "SETUSER", "u", "on", ">pw", "~*", "+@all")
        strike = lambda: client.execute_command("ACL", "SETUSER", "u", "resetkeys")  # noqa: E731
        url = f"redis://u:pw@{server.address}"
        yield Scene(url, [f"team/{kind}" for kind in "abcde"], strike)


@contextmanager
def emptied() -> Iterator[Scene]:
    with Server() as server:
        yield Scene(server.url, [f"team/{kind}" for kind in "abcde"], server.restart)


@contextmanager
def gone() -> Iterator[Scene]:
    with Server() as server:
        yield Scene(server.url, [f"team/{kind}" for kind in "abcde"], server.kill)


OUTAGES = {
    "a node of another shard dies, with a replica": other_node,
    "the only node of the URL dies, of another shard": seed_node,
    "the lock's own node dies, with a replica; the URL has a second host": own_node,
    "the lock's own node hangs (SIGSTOP), with a replica; a second host": slow_node,
    "another shard dies, without a replica [1]": other_shard,
    "the lock's shard dies, without a replica [1]": own_shard,
    "half of the cluster dies: no majority": half,
    "the lock's slot is moved to another node": reshard,
    "the master dies, behind Sentinels": master,
    "a Sentinel of the URL dies": one_sentinel,
    "the master and a Sentinel of the URL die together": master_and_sentinel,
    "all Sentinels die": all_sentinels,
    "a single server dies": gone,
    "the ACL is revoked while the lock is held": revoked,
    "a single server is restarted without its data": emptied,
}


def tried(scene: Scene, folder: Path) -> list[str]:
    """What each command does in the outage, in the order of the columns."""
    held, guest, waiting, new, stuck = scene.actors
    environment = {**os.environ, "ATECTL_REDIS_URL": scene.url, "ATECTL_LEDGER": "none"}
    with ExitStack() as stack:

        def start(*words: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [ATECTL, *words], env=environment, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return process

        ttl = f"{TTL_S:g}s"
        holder = start("locks", "hold", "--lock-ttl", ttl, held, "sleep", "600")
        enough = folder / "enough"
        until_enough = f"until [ -e {enough} ]; do sleep 0.1; done"
        other = start("locks", "hold", "--lock-ttl", ttl, waiting, "sh", "-c", until_enough)
        capsule = str(CAPSULES / "sleep.wat")
        run = start("run", "--actor", guest, "--lock-ttl", ttl, "--deadline", "none", capsule)
        make_stuck(scene, stuck, environment)
        for actor in (held, waiting, guest):
            wait_until(lambda actor=actor: shown(environment, "show", actor).returncode == 0)
        waiter = start("locks", "hold", "--lock-wait", "60s", waiting, "true")
        # It has to have asked before: it learns only then which other servers there are.
        wait_until(lambda: psutil.Process(waiter.pid).net_connections())
        time.sleep(2)
        scene.strike()
        struck = time.monotonic()
        time.sleep(4)  # whoever is to take over has done so
        enough.touch()
        cells = [told(shown(environment, *words)) for words in (
            ("ls", "--redis-timeout", "2s"),
            ("show", held, "--redis-timeout", "2s"),
            ("hold", "--redis-timeout", "2s", new, "true"),
            ("release", stuck, "--yes", "--token", token(1), "--lock-ttl", "3s"),
        )]  # fmt: skip
        for process in (holder, run):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(struck + WATCHED_S - time.monotonic(), 0))
        ends = [end_of(holder), end_of(run), end_of(waiter)]
        ls, show, hold, release = cells
        other.kill()
        return [ls, show, ends[0], hold, ends[2], release, ends[1]]


def make_stuck(scene: Scene, actor: str, environment: dict[str, str]) -> None:
    """A lock without a TTL, set by a client that finds its way."""
    from atectl.redis.connection import connect
    from atectl.redis.settings import redis_settings

    with connect(redis_settings(scene.url)) as connection:
        connection.client.set(key_of(actor), token(1))


def shown(environment: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [ATECTL, "locks", *words], env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def told(ended: "subprocess.CompletedProcess[str]") -> str:
    code = next(iter(codes_in(ended.stderr)), "")
    if ended.returncode == 0:
        return "works"
    if "E525" in ended.stderr and ended.stdout:
        return f"shows the rest, {ended.returncode}"
    return f"{ended.returncode}, {code}"


def end_of(process: "subprocess.Popen[str]") -> str:
    if process.poll() is None:
        return "goes on"
    if process.returncode == 0:
        return "works"
    stderr = process.communicate()[1] if process.stderr else ""
    why = next((line for line in stderr.splitlines() if "error[" in line), "")
    return f"ended, {process.returncode}" + "".join(f", {code}" for code in codes_in(why)[:1])


def codes_in(text: str) -> list[str]:
    return [part[:4] for part in text.split("error[")[1:]]


def main(words: list[str]) -> None:
    print("| " + " | ".join(HEADER) + " |")
    print("| --- " * len(HEADER) + "|", flush=True)
    for name, place in OUTAGES.items():
        if all(word in name for word in words):
            with tempfile.TemporaryDirectory() as folder, place() as scene:
                cells = tried(scene, Path(folder))
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
