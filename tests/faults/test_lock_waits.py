"""A wait for a lock goes on while the server says, in any of its words, that it cannot answer."""

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import NamedTuple

import pytest
from redis.exceptions import ResponseError

from atectl.redis.settings import DEFAULT_RETRIES
from atectl.redis.slots import slot_of
from tests.support.lock_holding import holding
from tests.support.redis_gate import RedisGate
from tests.support.redis_servers import Cluster, Server
from tests.support.waiting import SOON_S, wait_until

KEY = "lock:actor:team:web"

MOST_TRIES = DEFAULT_RETRIES + 1
"""How often a command is sent that nobody waits for."""


class Refusing(NamedTuple):
    """A place that refuses every command on the lock with one word, until that is lifted."""

    url: str
    has_refused_often: Callable[[], bool]
    """Whether it was asked again and again by now."""
    lift: Callable[[], object]


def refusing_with(word: str, asked: Server, lift: Callable[[], object]) -> Refusing:
    """A server that counts how often it has said a word."""

    def has_refused_often() -> bool:
        with contextlib.closing(asked.client()) as client:
            said = client.info("errorstats").get(f"errorstat_{word}", {"count": 0})
        return int(said["count"]) > 2 * MOST_TRIES

    return Refusing(asked.url, has_refused_often, lift)


@contextmanager
def loading() -> Iterator[Refusing]:
    """A server that loads its data for a minute."""
    options = ("enable-debug-command yes", "loading-process-events-interval-bytes 1024")
    with Server(*options) as server, contextlib.closing(server.client()) as client:
        for number in range(300):
            client.set(f"key-{number}", random.randbytes(4096))
        client.config_set("key-load-delay", 200_000)

        def reload() -> None:
            with contextlib.closing(server.client(socket_timeout=SOON_S)) as other:
                other.execute_command("DEBUG RELOAD")

        thread = threading.Thread(target=reload)
        thread.start()
        wait_until(lambda: client.info("persistence")["loading"] == 1)

        def lift() -> None:
            client.config_set("key-load-delay", 0)

        yield refusing_with("LOADING", server, lift)
        lift()
        thread.join()


@contextmanager
def without_master() -> Iterator[Refusing]:
    """A replica that has lost its master, and shows no data that may be old."""
    with Server("replica-serve-stale-data no", "replica-read-only no") as server:
        with contextlib.closing(server.client()) as client:
            client.replicaof("127.0.0.1", "1")

        def lift() -> None:
            with contextlib.closing(server.client()) as client:
                client.replicaof("NO", "ONE")

        yield refusing_with("MASTERDOWN", server, lift)


@contextmanager
def busy() -> Iterator[Refusing]:
    """A server on which a script runs for long. It answers to nothing that could count."""
    with Server("busy-reply-threshold 10") as server, contextlib.closing(server.client()) as client:

        def run_for_ever() -> None:
            # The script is killed in the end, and that is an error.
            with (
                contextlib.suppress(ResponseError),
                contextlib.closing(server.client(socket_timeout=SOON_S)) as other,
            ):
                other.eval("while true do end", 0)

        def is_busy() -> bool:
            try:
                return client.get("anything") is not None
            except ResponseError as error:
                return str(error).startswith("BUSY")

        thread = threading.Thread(target=run_for_ever)
        thread.start()
        wait_until(is_busy)
        with RedisGate(server, {}) as gate:
            lift = cache(client.script_kill)
            try:
                yield Refusing(gate.url, lambda: gate.count > 2 * MOST_TRIES, lift)
            finally:
                lift()
                thread.join()


@contextmanager
def replica() -> Iterator[Refusing]:
    """A server that follows another, as the new master does until a failover is over."""
    with Server() as master, Server(f"replicaof 127.0.0.1 {master.port}") as server:

        def lift() -> None:
            with contextlib.closing(server.client()) as client:
                client.replicaof("NO", "ONE")

        yield refusing_with("READONLY", server, lift)


@contextmanager
def configured(word: str, setting: str, refuses: int) -> Iterator[Refusing]:
    """A server that takes no writes for as long as a setting is not zero."""
    with Server(f"{setting} {refuses}") as server:

        def lift() -> None:
            with contextlib.closing(server.client()) as client:
                client.config_set(setting, 0)

        yield refusing_with(word, server, lift)


@contextmanager
def cluster_down(cluster: Cluster) -> Iterator[Refusing]:
    """A cluster in which nobody has one of the slots, and so the lock's own node serves none."""
    owner = cluster.owner_of(KEY)
    slot = slot_of(f"lock:actor:{cluster.actor_on(owner, 'other').replace('/', ':')}".encode())

    def tell(word: str) -> None:
        with contextlib.closing(owner.client()) as client:
            client.execute_command("CLUSTER", word, slot)

    tell("DELSLOTS")
    lift = cache(lambda: tell("ADDSLOTS"))
    try:
        yield refusing_with("CLUSTERDOWN", owner, lift)
    finally:
        lift()
        cluster.wait_until_whole()


@contextmanager
def moving_slot(cluster: Cluster) -> Iterator[Refusing]:
    """The lock's slot is on its way to another node, and some of its keys are there already."""
    slot = slot_of(KEY.encode())
    source = cluster.owner_of(KEY)
    target = next(each for each in cluster.servers if each is not source)

    def tell(server: Server, *words: str) -> None:
        with contextlib.closing(server.client()) as client:
            client.execute_command("CLUSTER", "SETSLOT", slot, *words)

    def own_id(server: Server) -> str:
        with contextlib.closing(server.client()) as client:
            name: bytes = client.execute_command("CLUSTER MYID")
        return name.decode()

    def lift() -> None:
        for server in (source, target):
            tell(server, "STABLE")

    with contextlib.closing(source.client()) as client:
        # A key of the lock is still here, and the others are not: the server can serve neither.
        client.set(f"{{{KEY}}}:fence", 7)
    tell(target, "IMPORTING", own_id(source))
    tell(source, "MIGRATING", own_id(target))
    try:
        yield refusing_with("TRYAGAIN", source, lift)
    finally:
        lift()


KINDS: dict[str, Callable[..., contextlib.AbstractContextManager[Refusing]]] = {
    "LOADING": loading,
    "MASTERDOWN": without_master,
    "BUSY": busy,
    "READONLY": replica,
    "NOREPLICAS": partial(configured, "NOREPLICAS", "min-replicas-to-write", 1),
    "OOM": partial(configured, "OOM", "maxmemory", 1),
    "CLUSTERDOWN": cluster_down,
    "TRYAGAIN": moving_slot,
}


@pytest.fixture(params=KINDS)
def refusing(request: pytest.FixtureRequest) -> Iterator[Refusing]:
    needs_cluster = request.param in ("CLUSTERDOWN", "TRYAGAIN")
    places = [request.getfixturevalue("cluster")] if needs_cluster else []
    with KINDS[request.param](*places) as found:
        yield found


def test_a_wait_goes_on_until_the_server_can_answer(refusing: Refusing) -> None:
    with holding(refusing.url, "--lock-wait", "60s", command=["echo", "it ran"]) as process:
        wait_until(refusing.has_refused_often)
        assert process.poll() is None
        refusing.lift()
        told, complaints = process.communicate(timeout=SOON_S)
    assert (process.returncode, told, complaints) == (0, b"it ran\n", b"")


def test_without_a_wait_the_refusal_is_the_end(refusing: Refusing) -> None:
    with holding(refusing.url, command=["echo", "it ran"]) as process:
        told, complaints = process.communicate(timeout=SOON_S)
    assert (process.returncode, told) == (125, b"")
    assert complaints.startswith(b"error[E5")
