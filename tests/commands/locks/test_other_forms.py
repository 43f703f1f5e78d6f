"""An actor's lock under two keys: with its atespace and, older, without."""

import contextlib
import json
from typing import Any

import pytest

from tests.conftest import CAPSULES
from tests.support.lock_examples import token
from tests.support.program import Ended, atectl
from tests.support.redis_servers import Cluster, Server

NEWER, OLDER = "lock:actor:demo:web", "lock:actor:web"


def locks(place: Server | Cluster, *words: str) -> Ended:
    return atectl("locks", *words, environment={"ATECTL_REDIS_URL": place.url})


def keys_of(place: Server | Cluster) -> set[str]:
    with contextlib.closing(place.client()) as client:
        return {key for key in (NEWER, OLDER) if client.exists(key)}


@pytest.fixture(params=["valkey", "cluster"])
def place(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


FORMS = [("demo/web", OLDER), ("web", NEWER)]


@pytest.mark.parametrize(("actor", "other"), FORMS)
def test_holding_one_warns_of_the_other(place: Any, actor: str, other: str) -> None:
    with contextlib.closing(place.client()) as client:
        client.set(other, token(1), px=60_000)
    shown = locks(place, "hold", actor, "echo", "ran")
    assert (shown.status, shown.stdout) == (0, "ran\n")
    assert shown.stderr.startswith(f"warning[E547]: {other} is held, too")


@pytest.mark.parametrize(("actor", "other"), FORMS)
def test_strictly_one_is_refused_beside_the_other(place: Any, actor: str, other: str) -> None:
    with contextlib.closing(place.client()) as client:
        client.set(other, token(1), px=60_000)
    shown = locks(place, "hold", "--lock-strict", actor, "echo", "ran")
    assert (shown.status, shown.stdout) == (75, "")
    assert shown.stderr.startswith(f"error[E547]: {other} is held, too")
    assert keys_of(place) == {other}


def test_strictly_one_is_waited_for(valkey: Server) -> None:
    with contextlib.closing(valkey.client()) as client:
        client.set(OLDER, token(1), px=700)
    shown = locks(valkey, "hold", "--lock-strict", "--lock-wait", "60s", "demo/web", "echo", "ran")
    assert (shown.status, shown.stdout, shown.stderr) == (0, "ran\n", "")


def test_another_actor_is_no_other_form(place: Any) -> None:
    with contextlib.closing(place.client()) as client:
        for key in ("lock:actor:demo:webs", "lock:actor:webs", "lock:actor:demo:we"):
            client.set(key, token(1), px=60_000)
    assert locks(place, "hold", "--lock-strict", "demo/web", "true").status == 0
    assert locks(place, "hold", "--lock-strict", "web", "true").status == 0


def test_a_run_warns_and_is_refused_likewise(valkey: Server) -> None:
    with contextlib.closing(valkey.client()) as client:
        client.set(OLDER, token(1), px=60_000)
    words = ("--actor", "demo/web", "--redis", valkey.url, CAPSULES / "hello.wat")
    shown = atectl("run", *words)
    assert (shown.status, shown.stderr[:14]) == (0, "warning[E547]:")
    shown = atectl("run", "--lock-strict", *words)
    assert (shown.status, shown.stdout) == (75, "")


def test_show_warns_of_both(valkey: Server) -> None:
    with contextlib.closing(valkey.client()) as client:
        client.set(OLDER, token(1), px=60_000)
        client.set(NEWER, token(2), px=60_000)
    shown = locks(valkey, "show", "demo/web")
    assert "held under several keys" in shown.stdout
    body = json.loads(locks(valkey, "show", "demo/web", "-o", "json").stdout)
    assert body["warnings"] == ["other-form"]


# What a release would do, and what it does


@pytest.mark.parametrize(
    ("value", "code"), [("text", "E521"), (["a", "list"], "E526")], ids=["foreign", "a list"]
)
def test_show_says_of_a_foreign_lock_what_release_does(
    valkey: Server, value: str | list[str], code: str
) -> None:
    with contextlib.closing(valkey.client()) as client:
        client.set(NEWER, value) if isinstance(value, str) else client.rpush(NEWER, *value)
    told = "token" if code == "E526" else "is none of the systems"
    shown = locks(valkey, "show", "demo/web")
    assert "would be refused" in shown.stdout
    assert told in shown.stdout
    assert ("would delete" in shown.stdout) == (code == "E521")  # if it is forced
    words = ("demo/web", "--yes", "--token", "text", "--lock-ttl", "300ms")
    ended = locks(valkey, "release", *words)
    assert (ended.status, keys_of(valkey)) == (1, {NEWER})
    assert ended.stderr.startswith(f"error[{code}]: ")
    assert told in ended.stderr
    explained = " ".join(atectl("explain", code).stdout.split())
    assert ("no token" if code == "E526" else told) in explained
