"""Reading locks while some of them cannot be read: the others are shown, and the gap is named."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.support.lock_examples import actor_json, token
from tests.support.program import Ended, atectl
from tests.support.redis_gate import RedisGate
from tests.support.redis_servers import Cluster, Server
from tests.support.schemas import require_valid

KEY = "lock:actor:demo:web"
AT_ONCE = ("--lock-ttl", "3s", "--probe", "none")


class HalfDead(NamedTuple):
    """A cluster of which one primary and its replica are dead."""

    cluster: Cluster
    dead: Server
    lost: str
    """An actor whose lock was on the dead node."""
    left: str
    """One whose lock is on another."""

    def atectl(self, *words: str) -> Ended:
        url = self.cluster.living[0].url
        return atectl("locks", *words, environment={"ATECTL_REDIS_URL": url})


@pytest.fixture(scope="class")
def half_dead(_shared_replicated: Cluster) -> HalfDead:
    """One shard is gone, and the cluster goes on without it."""
    return killed(_shared_replicated, full_coverage="no")


@pytest.fixture
def stopped(_shared_replicated: Cluster) -> HalfDead:
    """One shard is gone, and so the cluster serves nobody."""
    return killed(_shared_replicated, full_coverage="yes")


def killed(cluster: Cluster, full_coverage: str) -> HalfDead:
    cluster.flush()
    for client in cluster.clients():
        client.config_set("cluster-require-full-coverage", full_coverage)
        client.close()
    dead = cluster.owner_of(KEY)
    other = next(each for each in cluster.living if each is not dead and is_primary(each))
    lost, left = cluster.actor_on(dead), cluster.actor_on(other)
    with contextlib.closing(cluster.client()) as client:
        for actor in (lost, left):
            client.set(f"lock:actor:{actor.replace('/', ':')}", token(1))
    cluster.replica_of(dead).kill()
    dead.kill()
    cluster.wait_for_state("ok" if full_coverage == "no" else "fail", dead)
    return HalfDead(cluster, dead, lost, left)


def is_primary(server: Server) -> bool:
    with contextlib.closing(server.client()) as client:
        return bool(client.role()[0] == b"master")


class TestAShardIsGone:
    def test_ls_lists_the_locks_of_the_others_and_names_what_is_missing(
        self, half_dead: HalfDead
    ) -> None:
        shown = half_dead.atectl("ls", "-o", "json")
        body = json.loads(shown.stdout)
        require_valid("locks-ls", body)
        assert [f"{row['atespace']}/{row['actor']}" for row in body["locks"]] == [half_dead.left]
        [gap] = body["incomplete"]
        assert gap["node"] == half_dead.dead.address
        assert gap["slots"]
        assert gap["code"] == "E501"
        assert shown.status == 125
        assert f"missing are the slots {gap['slots'][0]}" in shown.stderr
        assert '"code": "E525", "message": "the list is incomplete' in shown.stderr

    def test_the_table_has_the_others_too(self, half_dead: HalfDead) -> None:
        shown = half_dead.atectl("ls")
        assert shown.status == 125
        assert half_dead.left.rpartition("/")[2] in shown.stdout
        assert half_dead.dead.address in shown.stderr

    def test_what_was_asked_for_is_told_first(self, half_dead: HalfDead) -> None:
        assert half_dead.atectl("ls", "--fail-on", "stuck").status == 1

    def test_show_shows_a_lock_of_another(self, half_dead: HalfDead) -> None:
        shown = half_dead.atectl("show", half_dead.left, "-o", "json")
        body = json.loads(shown.stdout)
        assert [row["verdict"] for row in body["locks"]] == ["stuck"]
        assert [gap["node"] for gap in body["incomplete"]] == [half_dead.dead.address]
        assert shown.status == 125

    @pytest.mark.parametrize("command", ["show", "release"])
    def test_a_lock_that_cannot_be_read_is_not_said_to_be_none(
        self, half_dead: HalfDead, command: str
    ) -> None:
        shown = half_dead.atectl(command, half_dead.lost)
        assert shown.status == 125
        assert shown.stderr.startswith("error[E525]: it could not be read: ")
        assert half_dead.dead.address in shown.stderr

    def test_release_needs_the_node_of_the_lock_alone(self, half_dead: HalfDead) -> None:
        words = ("--yes", "--token", token(1), *AT_ONCE)
        shown = half_dead.atectl("release", half_dead.left, *words)
        assert shown.status == 0, shown.stderr
        with contextlib.closing(half_dead.cluster.client()) as client:
            assert not client.exists(f"lock:actor:{half_dead.left.replace('/', ':')}")

    def test_hold_needs_the_node_of_the_lock_alone(self, half_dead: HalfDead) -> None:
        actor = half_dead.cluster.actor_on(
            next(each for each in half_dead.cluster.living if is_primary(each)), "h"
        )
        assert half_dead.atectl("hold", actor, "--", "true").status == 0


def test_a_cluster_that_serves_nobody_still_gives_a_whole_document(stopped: HalfDead) -> None:
    shown = stopped.atectl("ls", "-o", "json")
    body = json.loads(shown.stdout)
    assert body["locks"] == []
    assert {gap["code"] for gap in body["incomplete"]} == {"E501", "E508"}
    assert stopped.dead.address in {gap["node"] for gap in body["incomplete"]}
    assert shown.status == 125


def test_a_server_that_dies_in_a_listing_leaves_a_whole_document(valkey: Server) -> None:
    with contextlib.closing(valkey.client()) as client:
        pipeline = client.pipeline()
        for number in range(3000):
            pipeline.set(f"lock:actor:demo:a{number}", token(number), px=60_000)
        pipeline.execute()
    with RedisGate(valkey, {2: valkey.kill}, b"SCAN") as gate:
        shown = atectl("locks", "ls", "-o", "json", "--redis", gate.url)
    body = json.loads(shown.stdout)
    assert body["locks"]
    assert len(body["incomplete"]) == 1
    assert (shown.status, json.loads(shown.stderr)["code"]) == (125, "E501")


# Keys that a user may not read


@pytest.fixture
def reader(valkey: Server) -> Iterator[str]:
    """The URL of a user that may read locks, and no records of actors."""
    with contextlib.closing(valkey.client()) as client:
        client.set(KEY, token(1), px=60_000)
        client.hset(f"{{{KEY}}}:holder", mapping={"token": token(1), "host": "here"})
        client.set("actor:demo:web", actor_json("RESUMING"))
        words = "on >pw ~lock:actor:* ~{lock:actor:* +@read +@connection +time"
        client.execute_command("ACL", "SETUSER", "reader", *words.split())
        yield f"redis://reader:pw@{valkey.address}"


@pytest.mark.parametrize("denied", [(), ("~{lock:actor:*",), ("~actor:*",)])
def test_locks_are_listed_without_what_the_user_may_not_read(
    valkey: Server, reader: str, denied: tuple[str, ...]
) -> None:
    if denied:
        left = {"~lock:actor:*", "~{lock:actor:*", "~actor:*"} - set(denied)
        with contextlib.closing(valkey.client()) as client:
            client.execute_command("ACL", "SETUSER", "reader", "resetkeys", *left)
    shown = atectl("locks", "ls", "-o", "json", "--redis", reader)
    body = json.loads(shown.stdout)
    assert [row["key"] for row in body["locks"]] == [KEY]
    missing = [pattern.removeprefix("~") for pattern in denied or ("~actor:*",)]
    assert [gap["keys"] for gap in body["incomplete"]] == missing
    assert all(f"may not read {pattern}" in shown.stderr for pattern in missing)
    assert shown.status == 125


def test_a_lock_that_may_not_be_read_does_not_hide_the_others(valkey: Server, reader: str) -> None:
    with contextlib.closing(valkey.client()) as client:
        client.set("lock:actor:secret:web", token(2))
        words = "resetkeys ~lock:actor:demo:* ~{lock:actor:* ~actor:*"
        client.execute_command("ACL", "SETUSER", "reader", *words.split())
    body = json.loads(atectl("locks", "ls", "-o", "json", "--redis", reader).stdout)
    assert [row["key"] for row in body["locks"]] == [KEY]
    assert [gap["keys"] for gap in body["incomplete"]] == ["lock:actor:*"]


# The ledger


@pytest.fixture
def held_for_somebody(valkey: Server) -> Server:
    """A lock that is held for a principal, whose memory a ledger tells."""
    with contextlib.closing(valkey.client()) as client:
        client.set(KEY, token(1))
        client.hset(f"{{{KEY}}}:holder", mapping={"token": token(1), "principal": "alpha"})
    return valkey


NO_LEDGER = ("--ledger", "/etc/passwd")


@pytest.mark.parametrize("command", [("ls",), ("show", "demo/web")], ids=str)
def test_a_ledger_that_cannot_be_read_does_not_hide_the_locks(
    held_for_somebody: Server, command: tuple[str, ...]
) -> None:
    words = ("locks", *command, *NO_LEDGER, "--redis", held_for_somebody.url)
    shown = atectl(*words, "-o", "json")
    body = json.loads(shown.stdout)
    require_valid(f"locks-{command[0]}", body)
    [row] = body["locks"]
    assert (row["key"], row["principal"], row["peak_bytes"]) == (KEY, "alpha", None)
    assert [gap["code"] for gap in body["incomplete"]] == ["E402"]
    assert shown.status == 125
    assert '"code": "E402", "message": "/etc/passwd: ' in shown.stderr
    assert "is incomplete: the ledger could not be read" in shown.stderr
    assert "web" in atectl(*words).stdout


def test_a_release_needs_no_ledger(held_for_somebody: Server) -> None:
    words = ("demo/web", "--yes", "--token", token(1), *AT_ONCE, *NO_LEDGER)
    ended = atectl("locks", "release", *words, "--redis", held_for_somebody.url)
    assert ended.status == 0
    assert ended.stderr.startswith("warning[E402]: /etc/passwd: ")
    with contextlib.closing(held_for_somebody.client()) as client:
        assert not client.exists(KEY)


# The audit


@pytest.fixture
def noted(valkey: Server) -> Server:
    """A release is noted in the file and in the stream."""
    with contextlib.closing(valkey.client()) as client:
        client.set(KEY, token(1))
    words = ("--yes", "--token", token(1), *AT_ONCE, "--redis", valkey.url)
    assert atectl("locks", "release", "demo/web", *words).status == 0
    return valkey


def audited(server: Server) -> tuple[Any, Ended]:
    shown = atectl("locks", "audit", "-o", "json", "--redis", server.url)
    return json.loads(shown.stdout), shown


def first_told(shown: Ended) -> tuple[str, str]:
    """How grave it is what is told first, and its code."""
    told = json.loads(shown.stderr.splitlines()[0])
    return told["severity"], told["code"]


def test_the_file_of_notes_is_shown_when_no_server_answers(noted: Server) -> None:
    noted.kill()
    body, shown = audited(noted)
    assert [attempt["places"] for attempt in body["attempts"]] == [["file"]]
    assert [gap["code"] for gap in body["incomplete"]] == ["E501"]
    assert first_told(shown) == ("warning", "E501")
    assert shown.status == 125
    quiet = atectl("locks", "audit", "-q", "--redis", noted.url)
    assert quiet.stderr.startswith("error[E525]: the list is incomplete: 1 place")


def test_the_file_of_notes_is_shown_when_the_stream_is_something_else(noted: Server) -> None:
    with contextlib.closing(noted.client()) as client:
        client.set("atectl:lock-audit", "no stream")
    body, shown = audited(noted)
    assert [attempt["places"] for attempt in body["attempts"]] == [["file"]]
    assert first_told(shown) == ("warning", "E505")


def test_the_stream_is_shown_when_the_file_cannot_be_read(
    noted: Server, private_homes: Any
) -> None:
    [path] = private_homes.rglob("lock-audit.jsonl")
    path.unlink()
    path.mkdir()
    body, shown = audited(noted)
    assert [attempt["places"] for attempt in body["attempts"]] == [["stream"]]
    assert first_told(shown) == ("warning", "E524")


def test_a_stream_that_is_not_there_is_no_fault(noted: Server) -> None:
    with contextlib.closing(noted.client()) as client:
        client.delete("atectl:lock-audit")
    body, shown = audited(noted)
    assert [attempt["places"] for attempt in body["attempts"]] == [["file"]]
    assert (shown.status, shown.stderr) == (0, "")
