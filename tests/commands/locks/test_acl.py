"""`atectl locks acl`: the rules that it prints are enough for each command, and nothing more."""

import contextlib
import json
import shlex
from typing import Any

import pytest
import redis

from tests.support.lock_examples import actor_json, token
from tests.support.program import Ended, atectl
from tests.support.redis_servers import Cluster, Server

KEY = "lock:actor:demo:web"
COMMANDS = {
    "read": (["ls"], ["ls", "--stale", "--lock-ttl", "300ms"], ["show", "demo/web"], ["audit"]),
    "hold": (["hold", "demo/other", "--", "true"], ["hold", "other", "--", "true"]),
    "release": (
        ["release", "demo/web", "--dry-run", "--lock-ttl", "300ms"],
        ["release", "demo/web", "--yes", "--token", token(1), "--lock-ttl", "300ms"],
    ),
}


def clients_of(place: Server | Cluster) -> list[redis.Redis]:
    return place.clients() if isinstance(place, Cluster) else [place.client()]


def prepared(place: Server | Cluster, *words: str) -> None:
    """Make the users on each server, and a lock that nobody renews."""
    lines = [shlex.split(line) for line in atectl("locks", "acl", *words).stdout.splitlines()]
    for client in clients_of(place):
        for line in lines:
            client.execute_command(*[word.replace("PASSWORD", "pass-word") for word in line])
        client.close()
    with contextlib.closing(place.client()) as client:
        client.set(KEY, token(1))
        client.set("actor:demo:web", actor_json("RUNNING"))


def as_user(place: Server | Cluster, purpose: str, words: list[str]) -> Ended:
    url = f"redis://atectl-{purpose}:pass-word@{place.address}"
    return atectl("locks", *words, environment={"ATECTL_REDIS_URL": url})


@pytest.mark.parametrize("kind", ["valkey", "redis7", "cluster"])
def test_each_command_works_for_the_user_made_for_it(
    request: pytest.FixtureRequest, kind: str
) -> None:
    place: Any = request.getfixturevalue(kind)
    prepared(place, *(["--cluster"] if kind == "cluster" else []))
    for purpose, commands in COMMANDS.items():
        for words in commands:
            ended = as_user(place, purpose, words)
            assert ended.status == 0, (words, ended.stderr)
            assert "warning" not in ended.stderr


def test_each_permission_is_needed(valkey: Server) -> None:
    """Without any one of them, at least one of the commands of its user fails."""
    prepared(valkey)
    with contextlib.closing(valkey.client()) as client:
        for command in ("scan", "pttl", "hgetall", "xrange"):
            client.execute_command("ACL", "SETUSER", "atectl-read", f"-{command}")
            fails = any(as_user(valkey, "read", words).status for words in COMMANDS["read"])
            assert fails, command
            client.execute_command("ACL", "SETUSER", "atectl-read", f"+{command}")


@pytest.mark.parametrize("purpose", ["read", "hold"])
def test_nobody_can_release_who_was_not_made_for_it(valkey: Server, purpose: str) -> None:
    prepared(valkey)
    words = ["release", "demo/web", "--yes", "--token", token(1), "--lock-ttl", "300ms"]
    assert as_user(valkey, purpose, words).status != 0


def test_another_prefix_has_its_own_patterns() -> None:
    rules = json.loads(atectl("locks", "acl", "--lock-prefix", "{app}:lock:", "-o", "json").stdout)
    lines = {rule["purpose"]: rule["line"] for rule in rules["rules"]}
    assert "~{app}:lock:* ~{app}|{app}:lock:*" in lines["hold"]
    assert "cluster|slots" not in lines["hold"]
