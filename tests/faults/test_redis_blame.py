"""An error names the server that failed, how it came to be asked, and what mends it."""

import contextlib
import json
import os
import re
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from atectl.errors import AtectlError
from atectl.locks.audit import LockAudit
from atectl.locks.details import lock_details
from atectl.locks.heartbeat import LockTimes
from atectl.locks.holder_record import Holder
from atectl.locks.holding import HeldLock, LockTerms, acquire
from atectl.locks.keys import companion_keys
from atectl.locks.listing import list_locks
from atectl.locks.seen import see_lock
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.errors import RedisSlotMoving
from atectl.redis.reading import Reading
from atectl.redis.settings import redis_settings
from atectl.redis.slots import slot_of
from tests.support.false_server import FalseServer
from tests.support.lock_examples import token
from tests.support.program import ATECTL, Ended, atectl
from tests.support.redis_servers import Cluster, SentinelGroup, Server
from tests.support.waiting import wait_until

KEY = "lock:actor:demo:web"


def locks(*words: str, url: str) -> Ended:
    return atectl("locks", *words, environment={"ATECTL_REDIS_URL": url})


# Which server


def test_a_master_that_is_gone_is_blamed_and_not_the_sentinel_that_named_it(
    sentinel: SentinelGroup,
) -> None:
    sentinel.replica.kill()
    sentinel.master.kill()
    shown = locks("ls", url=sentinel.url)
    told = (
        rf"the Sentinel at \S+ names {sentinel.master.address} as master, which cannot be reached"
    )
    assert shown.status == 125
    assert re.match(rf"error\[E501\]: {told}: connection refused", shown.stderr)


def test_a_node_that_is_gone_is_blamed_and_not_the_one_that_named_it(
    replicated: Cluster,
) -> None:
    dead = replicated.owner_of(KEY)
    alive = next(each for each in replicated.servers if each is not dead)
    replicated.replica_of(dead).kill()
    dead.kill()
    shown = locks("hold", "demo/web", "--", "true", url=alive.url)
    assert f"names {dead.address} as a primary of its cluster, which cannot" in shown.stderr


# A slot that was left open


class OpenSlot:
    """The slot of the lock is migrating from its node to another, and nobody goes on with it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.slot = slot_of(KEY.encode())
        self.source = cluster.owner_of(KEY)
        self.target = next(each for each in cluster.servers if each is not self.source)

    def open(self) -> None:
        source, target = self.source.client(), self.target.client()
        ids = [client.execute_command("CLUSTER MYID").decode() for client in (source, target)]
        target.execute_command("CLUSTER", "SETSLOT", self.slot, "IMPORTING", ids[0])
        source.execute_command("CLUSTER", "SETSLOT", self.slot, "MIGRATING", ids[1])
        source.close()
        target.close()

    def close(self) -> None:
        for server in (self.source, self.target):
            with contextlib.closing(server.client()) as client:
                client.execute_command("CLUSTER", "SETSLOT", self.slot, "STABLE")


@pytest.fixture
def open_slot(cluster: Cluster) -> Iterator[OpenSlot]:
    slot = OpenSlot(cluster)
    slot.open()
    yield slot
    slot.close()


def test_a_slot_left_open_is_named_with_what_mends_it(open_slot: OpenSlot) -> None:
    shown = locks("hold", "demo/web", "--", "true", url=open_slot.cluster.url)
    assert shown.status == 125
    assert shown.stderr.startswith(f"error[E515]: slot {open_slot.slot} of the cluster at ")
    assert f"{open_slot.source.address} has it migrating to" in shown.stderr
    assert f"{open_slot.target.address} has it importing from" in shown.stderr
    assert "`redis-cli --cluster fix 127.0.0.1:" in shown.stderr


@pytest.fixture
def held_lock(cluster: Cluster) -> Iterator[tuple[RedisConnection, HeldLock]]:
    """A lock that was taken, and whose holder record has expired."""
    terms = LockTerms("demo/web", KEY, Holder("host", 1, "test"), LockTimes(1.5), None)
    with connect(redis_settings(cluster.url)) as connection:
        lock = acquire(connection, terms)
        connection.client.delete(companion_keys(KEY).holder)
        yield connection, lock


def test_a_lock_is_kept_and_released_in_a_slot_left_open(
    held_lock: tuple[RedisConnection, HeldLock], open_slot: OpenSlot
) -> None:
    connection, lock = held_lock
    renewed: list[float] = []
    lock.keep(renewed.append)
    wait_until(lambda: len(renewed) >= 3)
    assert lock.look() is None
    lock.release()
    assert connection.client.get(KEY) is None


def test_a_lock_in_a_slot_left_open_is_listed_shown_and_released(
    cluster: Cluster,
) -> None:
    with contextlib.closing(cluster.client()) as client:
        client.set(KEY, token(1))
    slot = OpenSlot(cluster)
    slot.open()
    try:
        body = json.loads(locks("ls", "-o", "json", url=cluster.url).stdout)
        assert [row["key"] for row in body["locks"]] == [KEY]
        assert body["incomplete"] == []
        assert locks("show", "demo/web", url=cluster.url).status == 0
        words = ("demo/web", "--yes", "--token", token(1), "--lock-ttl", "300ms")
        assert locks("release", *words, url=cluster.url).status == 0
    finally:
        slot.close()


def test_a_lock_that_moves_while_it_is_held_is_kept(cluster: Cluster) -> None:
    terms = LockTerms("demo/web", KEY, Holder("host", 1, "test"), LockTimes(3.0), None)
    slot = OpenSlot(cluster)
    with connect(redis_settings(cluster.url)) as connection:
        lock = acquire(connection, terms)
        renewed: list[float] = []
        lock.keep(renewed.append)
        slot.open()
        # The lock alone is moved at first: now its two keys are on two nodes.
        with contextlib.closing(slot.source.client()) as client:
            client.migrate("127.0.0.1", slot.target.port, KEY, 0, 5000)
        before = len(renewed)
        wait_until(lambda: len(renewed) >= before + 2)
        assert lock.look() is None
        lock.release()
        assert connection.client.get(KEY) is None
    with contextlib.closing(slot.source.client()) as client:
        client.delete(companion_keys(KEY).holder, companion_keys(KEY).fence)
    slot.close()


def test_a_slot_left_open_is_an_error_of_its_own(open_slot: OpenSlot) -> None:
    terms = LockTerms("demo/web", KEY, Holder("host", 1, "test"), LockTimes(30.0), None)
    with (
        connect(redis_settings(open_slot.cluster.url)) as connection,
        pytest.raises(RedisSlotMoving),
    ):
        acquire(connection, terms)


# Prefixes with a hash tag


@pytest.mark.parametrize("prefix", ["{app}:lock:", "lock:{app}:", "{app}:", "{app}", "a}b:"])
@pytest.mark.parametrize("kind", ["cluster", "valkey"])
def test_a_prefix_may_have_a_hash_tag(
    request: pytest.FixtureRequest, prefix: str, kind: str
) -> None:
    if (prefix, kind) == ("a}b:", "cluster"):
        pytest.skip("it has no hash tag, and no key beside it could be in its slot")
    url = request.getfixturevalue(kind).url
    inside = [ATECTL, "locks", "ls", "-o", "json", "--lock-prefix", prefix]
    shown = locks(
        "hold", "demo/web", "--lock-prefix", prefix, "--", *inside, "--redis", url, url=url
    )
    assert (shown.status, shown.stderr) == (0, "")
    [row] = json.loads(shown.stdout)["locks"]
    assert (row["key"], row["fence"]) == (f"{prefix}demo:web", 1)
    shown = locks("ls", "-o", "json", "--lock-prefix", prefix, url=url)
    assert json.loads(shown.stdout)["locks"] == []


def test_a_prefix_without_a_whole_hash_tag_says_so_in_a_cluster(cluster: Cluster) -> None:
    shown = locks("hold", "demo/web", "--lock-prefix", "a}b:", "--", "true", url=cluster.url)
    assert shown.status == 125
    assert "has the keys in different slots" in shown.stderr
    assert "a prefix without braces, or with one whole hash tag" in shown.stderr


# Databases, commands and versions


def test_a_database_that_the_server_does_not_have(valkey: Server) -> None:
    shown = locks("ls", url=f"{valkey.url}/99")
    assert shown.status == 2
    assert shown.stderr.startswith(
        f"error[E510]: {valkey.address} is a server without a database 99"
    )


def test_a_cluster_that_has_databases_is_used_with_one() -> None:
    with Cluster("cluster-databases 4") as cluster:
        assert locks("hold", "demo/web", "--", "true", url=f"{cluster.url}/2").status == 0
        shown = locks("ls", url=f"{cluster.url}/9")
        assert (shown.status, shown.stderr[:12]) == (2, "error[E510]:")
        assert "has no database 9" in shown.stderr
        with contextlib.closing(cluster.client()) as client:
            assert client.get(companion_keys(KEY).fence) is None


@pytest.mark.parametrize("command", ["EVALSHA", "SCAN", "GET"])
def test_a_command_that_was_renamed_is_named(command: str) -> None:
    with Server(f'rename-command {command} ""') as server:
        with contextlib.closing(server.client()) as client:
            client.set(KEY, token(1))
        told = {
            "EVALSHA": locks("hold", "demo/web", "--", "true", url=server.url),
            "SCAN": locks("ls", url=server.url),
            "GET": locks("hold", "demo/web", "--", "true", url=server.url),
        }[command]
    assert told.status == 125
    assert told.stderr.startswith(f"error[E514]: {server.address} does not know ")
    assert "renamed or disabled" in told.stderr


class NoHello(Server):
    """A server that is asked in the older protocol, which needs no HELLO."""

    def client(self, **options: Any) -> redis.Redis:
        return super().client(protocol=2, **options)


def test_a_server_whose_hello_was_renamed_is_used_all_the_same() -> None:
    with NoHello('rename-command HELLO ""') as server:
        assert locks("hold", "demo/web", "--", "true", url=server.url).status == 0


def test_a_server_that_is_too_old_is_told_with_its_version() -> None:
    info = b"# Server\r\nredis_version:5.0.14\r\nredis_mode:standalone\r\n"
    answers = {
        b"HELLO": b"-ERR unknown command `HELLO`\r\n",
        b"INFO": b"$%d\r\n%s\r\n" % (len(info), info),
    }
    with FalseServer(answers) as server:
        shown = locks("ls", url=server.url)
    assert shown.status == 125
    told = f"error[E514]: {server.address} has version 5.0.14, and atectl needs 6 or later\n"
    assert shown.stderr.startswith(told)


def test_a_denied_key_is_named_where_the_server_does_not(valkey: Server) -> None:
    with contextlib.closing(valkey.client()) as client:
        client.execute_command("ACL", "SETUSER", "u", "on", ">pw", "~other:*", "+@all")
    shown = locks("hold", "demo/web", "--", "true", url=f"redis://u:pw@{valkey.address}")
    assert (shown.status, shown.stderr[:12]) == (125, "error[E504]:")
    assert KEY in shown.stderr


@pytest.mark.parametrize("fence", ["text", str(2**63 - 1)])
def test_a_fence_that_cannot_be_counted_up_is_named(valkey: Server, fence: str) -> None:
    with contextlib.closing(valkey.client()) as client:
        client.set(companion_keys(KEY).fence, fence)
    shown = locks("hold", "demo/web", "--", "true", url=valkey.url)
    assert (shown.status, shown.stderr[:12]) == (125, "error[E505]:")
    assert "has a value that cannot be counted up" in shown.stderr
    assert companion_keys(KEY).fence in shown.stderr


def test_a_server_that_refuses_in_words_of_its_own_is_not_said_to_be_of_another_kind() -> None:
    with FalseServer({b"SCAN": b"-ERR not today\r\n"}) as server:
        shown = locks("ls", url=server.url)
    assert shown.status == 125
    assert shown.stderr.startswith(f"error[E514]: {server.address} refused a command: not today\n")
    assert "try: see what the server says" in shown.stderr


# Answers that make no sense

DEEP = b"*1\r\n" * 200_000 + b":1\r\n"
NONSENSE = {
    "nil": b"$-1\r\n",
    "no list": b"*-1\r\n",
    "deep": DEEP,
    "long number": b":" + b"9" * 5000 + b"\r\n",
    "two gigabytes": b"$2147483648\r\n" + b"x" * 100,
    "a list of all": b"*2147483647\r\n",
    "negative": b"$-7\r\n",
    "no number": b":x\r\n",
    "a number": b":7\r\n",
    "a text": b"$3\r\nabc\r\n",
    "other words": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "an empty list": b"*0\r\n",
}
MODES = {
    "cluster": b"*4\r\n$4\r\nmode\r\n$7\r\ncluster\r\n$4\r\nrole\r\n$6\r\nmaster\r\n",
    "sentinel": b"*4\r\n$4\r\nmode\r\n$8\r\nsentinel\r\n$4\r\nrole\r\n$8\r\nsentinel\r\n",
}


QUESTIONS: dict[str, Callable[[RedisConnection], object]] = {
    "list": lambda place: list(list_locks(Reading(place))),
    "show": lambda place: lock_details(place, "demo/web"),
    "look": lambda place: see_lock(place, KEY),
    "take": lambda place: acquire(
        place, LockTerms("demo/web", KEY, Holder("host", 1, "test"), LockTimes(30.0), None)
    ),
    "audit": lambda place: LockAudit(Path("/nowhere"), place).attempts(),
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_nonsense_in_answer_to_any_question_is_an_error_of_ours(
    question: Callable[[RedisConnection], object], answer: bytes
) -> None:
    with (
        contextlib.suppress(AtectlError),  # some are no nonsense to some questions
        FalseServer({b"": answer}) as server,
        connect(redis_settings(server.url, timeout="2s")) as place,
    ):
        question(place)


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("mode", [b"HELLO", *MODES.values()], ids=["server", *MODES])
def test_nonsense_at_the_first_contact_is_an_error_of_ours(mode: bytes, answer: bytes) -> None:
    first = {b"HELLO": answer} if mode == b"HELLO" else {b"HELLO": mode, b"": answer}
    with FalseServer(first) as server, contextlib.suppress(AtectlError):
        settings = redis_settings(server.url, timeout="2s")
        with connect(settings) as place:
            list(list_locks(Reading(place)))


@pytest.mark.parametrize("answer", ["deep", "two gigabytes", "a list of all"])
def test_nonsense_takes_little_memory_and_is_blamed_on_the_server(answer: str) -> None:
    with FalseServer({b"EVALSHA": NONSENSE[answer]}) as server:
        ended = subprocess.run(
            [ATECTL, "locks", "hold", "demo/web", "--", "true"],
            env={**os.environ, "ATECTL_REDIS_URL": server.url},
            capture_output=True,
            text=True,
            timeout=60,
            preexec_fn=_with_little_memory,
        )
    assert ended.returncode == 125
    assert ended.stderr.startswith(
        f"error[E514]: {server.address} gave an answer that is not Redis"
    )


def _with_little_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
