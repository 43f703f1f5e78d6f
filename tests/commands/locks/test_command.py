"""`atectl locks` as its users and their scripts meet it, on a real Valkey."""

import json
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from atectl.ledger_store.opening import open_for_writing
from tests.support.ledger_records import MIB, just_now, lease
from tests.support.lock_examples import actor_json, load_examples, token
from tests.support.program import Ended, atectl
from tests.support.redis_gate import LISTING, RedisGate
from tests.support.redis_servers import AclServer, Cluster, Server
from tests.support.waiting import wait_until

KEY = "lock:actor:demo:web"
SHORT = ("--lock-ttl", "3s")
"""The TTL that locks are judged by: two looks are 1.1 s apart then. They live much longer."""

AT_ONCE = ("--probe", "none")
"""For two looks without time between them: enough for what needs no watching, or is renewed."""

LIFE_MS, LONGER_MS = 60_000, 90_000


@pytest.fixture
def server(valkey: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("ATECTL_REDIS_URL", valkey.url)
    return valkey


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with closing(server.client()) as client:
        yield client


@pytest.fixture
def examples(client: Any) -> Any:
    load_examples(client)
    return client


def listed(*words: str) -> list[dict[str, Any]]:
    shown = atectl("locks", "ls", "-o", "json", *words)
    assert (shown.status, shown.stderr) == (0, "")
    body = json.loads(shown.stdout)
    assert list(body) == ["schema_version", "locks", "incomplete"]
    assert body["schema_version"] == 1
    locks: list[dict[str, Any]] = body["locks"]
    return locks


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [f"{row['atespace'] or ''}/{row['actor']}" for row in rows]


def attempts() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(atectl("locks", "audit", "-o", "json").stdout)[
        "attempts"
    ]
    return found


# ls


@pytest.mark.usefixtures("examples")
def test_ls_lists_locks_under_the_names_that_scripts_rely_on() -> None:
    rows = {row["key"]: row for row in listed()}
    trainer = rows["lock:actor:prod:trainer"]
    assert set(trainer) >= {
        *("key", "actor", "atespace", "token", "ttl_ms", "verdict", "holder", "actor_status"),
        *("worker", "age_s", "principal", "current_bytes", "peak_bytes", "fence", "warnings"),
    }
    assert (trainer["actor"], trainer["atespace"]) == ("trainer", "prod")
    assert trainer["token"] == token(0xC1)
    assert 20_000 < trainer["ttl_ms"] <= 29_000
    assert (trainer["actor_status"], trainer["worker"]) == ("RESUMING", "ate-prod/pool-c-9f00")
    assert trainer["holder"]["since"] == "2026-09-21T14:13:20.000Z"
    assert (trainer["fence"], trainer["principal"]) == (12, "render-farm")
    assert rows["lock:actor:demo:batch"]["ttl_ms"] is None
    assert rows["lock:actor:web"]["actors"] == ["demo/web", "prod/web"]


@pytest.mark.usefixtures("examples")
def test_ls_lists_stranded_actors_without_a_key() -> None:
    stranded = [row for row in listed() if row["verdict"] == "stranded"]
    assert sorted(names(stranded)) == ["demo/crawler", "prod/importer"]
    assert {(row["key"], row["token"], row["ttl_ms"]) for row in stranded} == {(None, None, None)}


@pytest.mark.usefixtures("examples")
def test_ls_selects_sorts_and_limits() -> None:
    assert names(listed("demo/b*")) == ["demo/batch"]
    assert set(names(listed("--atespace", "prod"))) == {"prod/trainer", "prod/importer", "/web"}
    assert names(listed("--sort", "verdict", "--rows", "1")) == ["demo/batch"]
    assert len(listed("--rows", "2")) == 2


@pytest.mark.usefixtures("examples")
def test_ls_draws_a_table_without_escapes_into_a_pipe() -> None:
    shown = atectl("locks", "ls")
    assert shown.status == 0
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown.stdout)
    assert r"\x1b[31mred/1 \x1b]0;title\x07 [bold]x" in shown.stdout
    assert "12 listed: " in shown.stdout


def test_ls_shows_the_memory_of_the_principal(client: Any) -> None:
    with closing(open_for_writing()) as store:
        store.flush([lease("alpha", **just_now(), current_bytes=5 * MIB, peak_bytes=6 * MIB)])
    client.set(KEY, token(1), px=30_000)
    client.hset(f"{{{KEY}}}:holder", mapping={"token": token(1), "principal": "alpha"})
    [row] = listed()
    assert (row["current_bytes"], row["peak_bytes"]) == (5 * MIB, 6 * MIB)
    assert "6 MiB" in atectl("locks", "ls").stdout


def test_ls_with_a_probe_tells_the_living_from_those_that_nobody_renews(
    server: Server, client: Any
) -> None:
    client.set(KEY, token(1), px=LIFE_MS)
    client.set("lock:actor:demo:dead", token(2), px=LIFE_MS)

    def verdicts() -> dict[str, str]:
        client.pexpire(KEY, LIFE_MS)
        renew = {2: lambda: client.pexpire(KEY, LONGER_MS)}
        with RedisGate(server, renew, LISTING) as gate:
            rows = listed("--probe", "1100ms", *SHORT, "--redis", gate.url)
        return {row["actor"]: row["verdict"] for row in rows}

    # Answers that come late leave it open whether the other is dead: then look once more.
    wait_until(lambda: verdicts() == {"web": "renewing", "dead": "expiring"})


def test_ls_by_one_look_cannot_tell(client: Any) -> None:
    client.set(KEY, token(1), px=30_000)
    assert [row["verdict"] for row in listed()] == ["held"]


def test_ls_stale_looks_twice_and_leaves_the_living_out(server: Server, client: Any) -> None:
    client.set(KEY, token(1), px=LIFE_MS)
    client.set("lock:actor:demo:batch", token(3))
    client.set("actor:demo:crawler", actor_json("PAUSING"))
    renew = {2: lambda: client.pexpire(KEY, LONGER_MS)}
    with RedisGate(server, renew, LISTING) as gate:
        rows = listed("--stale", *SHORT, "--redis", gate.url)
    assert sorted(names(rows)) == ["demo/batch", "demo/crawler"]


@pytest.mark.parametrize(
    ("verdict", "status"),
    [("stuck", 1), ("stranded", 0), ("stale", 1), ("expiring", 0), ("foreign", 0)],
)
def test_ls_fails_on_the_verdicts_that_are_named(client: Any, verdict: str, status: int) -> None:
    client.set(KEY, token(1))
    words = ("locks", "ls", "--fail-on", verdict, "--lock-ttl", "300ms")
    assert atectl(*words).status == status
    shown = atectl(*words, "-o", "json", "--rows", "1")
    assert shown.status == status
    assert len(json.loads(shown.stdout)["locks"]) == 1


def test_ls_fails_on_what_only_a_second_look_can_tell_without_being_asked_to_look(
    server: Server, client: Any
) -> None:
    client.set(KEY, token(1), px=LIFE_MS)
    renew = {2: lambda: client.pexpire(KEY, LONGER_MS)}
    with RedisGate(server, renew, LISTING) as gate:
        words = ("--fail-on", "renewing", *SHORT, "--redis", gate.url)
        assert atectl("locks", "ls", *words).status == 1


def test_ls_fails_on_a_lock_beyond_the_limit(client: Any) -> None:
    client.set("lock:actor:demo:a", token(1), px=30_000)
    client.set("lock:actor:demo:b", token(2))
    words = ("--sort", "actor", "--rows", "1", "--fail-on", "stuck")
    assert atectl("locks", "ls", "-o", "json", *words).status == 1
    assert atectl("locks", "ls", *words).status == 1


@pytest.mark.usefixtures("server")
def test_ls_of_nothing_is_no_error() -> None:
    shown = atectl("locks", "ls")
    assert (shown.status, shown.stdout, shown.stderr) == (0, "", "no actor locks\n")
    assert listed() == []


def test_ls_takes_another_prefix(client: Any) -> None:
    client.set("x:demo:web", token(1), px=30_000)
    assert names(listed("--lock-prefix", "x:")) == ["demo/web"]


def test_a_prefix_need_not_be_utf8(client: Any) -> None:
    client.set(b"x\xff:demo:web", token(1), px=30_000)
    assert names(listed("--lock-prefix", "x\udcff:")) == ["demo/web"]
    shown = atectl("locks", "show", "demo/web", "--lock-prefix", "x\udcff:", "--probe", "none")
    assert (shown.status, shown.stderr) == (0, "")


def test_ls_lists_a_cluster(cluster: Cluster) -> None:
    with closing(cluster.client()) as client:
        load_examples(client)
    assert len(listed("--redis", cluster.url)) == 12


# show


@pytest.mark.usefixtures("examples")
def test_show_has_the_lock_its_actors_its_worker_and_what_releasing_would_do() -> None:
    body = json.loads(atectl("locks", "show", "demo/reports", "-o", "json").stdout)
    assert set(body) == {
        *("schema_version", "keys", "locks", "fences", "actors", "workers", "warnings"),
        "incomplete",
    }
    assert [row["key"] for row in body["locks"]] == ["lock:actor:demo:reports"]
    assert body["workers"][0]["record"]["node"] == "node-4"
    shown = atectl("locks", "show", "demo/reports").stdout
    assert "would delete lock:actor:demo:reports, if it is still as it is seen here" in shown
    assert "no holder record" in shown


@pytest.mark.usefixtures("examples")
def test_show_names_every_actor_that_shares_the_lock() -> None:
    shown = atectl("locks", "show", "web").stdout
    assert "demo/web" in shown
    assert "prod/web" in shown
    assert "the actors of this name share the lock" in shown


def test_show_with_a_probe_tells_whether_the_holder_is_alive(server: Server, client: Any) -> None:
    client.set(KEY, token(1), px=LIFE_MS)
    renew = {2: lambda: client.pexpire(KEY, LONGER_MS)}
    with RedisGate(server, renew, LISTING) as gate:
        words = ("demo/web", "--probe", "1ms", "--redis", gate.url)
        assert "renewing: its holder is alive" in atectl("locks", "show", *words).stdout


@pytest.mark.usefixtures("examples")
def test_show_of_an_unknown_actor_names_the_nearest() -> None:
    shown = atectl("locks", "show", "demo/reprots")
    assert (shown.status, shown.stdout) == (1, "")
    assert shown.stderr.startswith(
        "error[E520]: there is neither a lock nor a record of 'demo/reprots'; "
        "did you mean demo/reports?\n"
    )


# release


def release(*words: str, name: str = "demo/web", number: int | None = 1) -> Ended:
    agreed = () if number is None else ("--yes", "--token", token(number))
    return atectl("locks", "release", name, *SHORT, *AT_ONCE, *agreed, *words)


def test_release_deletes_a_lock_that_nobody_renews_and_notes_it(client: Any) -> None:
    client.set(KEY, token(1), px=LIFE_MS)
    client.set("actor:demo:web", actor_json("RESUMING"))
    shown = release("--probe", "1100ms")
    while "watched for less than one renewal" in shown.stderr:
        # Answers that come late leave it open whether the holder is dead: it has to be asked again.
        client.pexpire(KEY, LIFE_MS)
        shown = release("--probe", "1100ms")
    assert shown.status == 0
    assert shown.stderr.endswith(f"released {KEY}\n")
    assert client.get(KEY) is None
    assert client.get("actor:demo:web") is not None
    attempt = attempts()[0]
    assert (attempt["outcome"], attempt["verdict"]) == ("released", "expiring")
    assert (attempt["key"], attempt["token"], attempt["is_forced"]) == (KEY, token(1), False)
    assert attempt["places"] == ["file", "stream"]


def test_the_file_of_notes_is_its_owners_alone(client: Any, private_homes: Path) -> None:
    client.set(KEY, token(1))
    release()
    [path] = private_homes.rglob("lock-audit.jsonl")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.fixture
def living(server: Server, client: Any) -> Iterator[RedisGate]:
    """A lock whose holder renews it between two looks."""
    client.set(KEY, token(1), px=LIFE_MS)
    with RedisGate(server, {2: lambda: client.pexpire(KEY, LONGER_MS)}) as gate:
        yield gate


def test_release_refuses_a_holder_that_is_alive_and_notes_that(living: RedisGate) -> None:
    shown = release("--redis", living.url)
    assert shown.status == 1
    assert "error[E521]: the holder of lock:actor:demo:web is alive" in shown.stderr
    assert [attempt["outcome"] for attempt in attempts()] == ["refused"]


def test_release_refuses_what_was_watched_too_shortly(client: Any) -> None:
    client.set(KEY, token(1), px=LIFE_MS)
    shown = release()
    assert shown.status == 1
    assert "watched for less than one renewal" in shown.stderr
    assert client.exists(KEY)


def test_release_refuses_a_foreign_lock(client: Any) -> None:
    client.set(KEY, "taken by hand")
    shown = release("--yes", "--token", "taken by hand", number=None)
    assert (shown.status, client.exists(KEY)) == (1, 1)
    assert "error[E521]" in shown.stderr


def test_release_forced_goes_past_a_living_holder(living: RedisGate) -> None:
    shown = release("--force", "--redis", living.url)
    assert shown.stderr.endswith(f"released {KEY}\n")
    assert [attempt["is_forced"] for attempt in attempts()] == [True]


def test_release_of_another_token_is_refused(client: Any) -> None:
    client.set(KEY, token(1))
    shown = release(number=2)
    assert (shown.status, client.exists(KEY)) == (1, 1)
    assert "error[E522]" in shown.stderr


def test_release_that_finds_another_holder_after_the_probe_deletes_nothing(
    server: Server, client: Any
) -> None:
    client.set(KEY, token(1))
    with RedisGate(server, {2: lambda: client.set(KEY, token(2))}) as gate:
        shown = release("--redis", gate.url)
    assert shown.status == 1
    assert "error[E522]: lock:actor:demo:web has another holder by now" in shown.stderr
    assert client.get(KEY) == token(2).encode()


def test_release_of_a_lock_that_frees_itself_meanwhile_has_nothing_to_do(
    server: Server, client: Any
) -> None:
    client.set(KEY, token(1), px=LIFE_MS)
    with RedisGate(server, {2: lambda: client.delete(KEY)}) as gate:
        shown = release("--redis", gate.url)
    assert (shown.status, shown.stderr) == (0, "demo/web freed itself; nothing was released\n")


def test_release_dry_deletes_nothing_and_asks_nothing(client: Any) -> None:
    client.set(KEY, token(1))
    shown = release("--dry-run", number=None)
    assert (shown.status, shown.stderr) == (0, f"would release {KEY}: stuck\n")
    assert client.exists(KEY)
    assert attempts() == []


def test_release_without_a_terminal_names_what_to_pass(client: Any) -> None:
    client.set(KEY, token(1))
    shown = release(number=None)
    assert (shown.status, client.exists(KEY)) == (2, 1)
    assert f"error[E111]: this would release {KEY}\n" in shown.stderr
    assert f"pass --yes --token {token(1)}" in shown.stderr


@pytest.mark.usefixtures("server")
def test_release_with_yes_wants_the_token() -> None:
    shown = atectl("locks", "release", "demo/web", "--yes")
    assert (shown.status, shown.stderr[:12]) == (2, "error[E116]:")


@pytest.mark.parametrize(
    ("meanwhile", "told"),
    [
        (lambda client: client.delete(KEY), "demo/web is free\n"),
        (
            lambda client: client.set(KEY, token(2)),
            "demo/web was freed, and has another holder already\n",
        ),
    ],
    ids=["free", "taken over"],
)
def test_release_wait_waits_until_the_lock_frees_itself(
    server: Server, client: Any, meanwhile: Callable[[Any], object], told: str
) -> None:
    client.set(KEY, token(1), px=LIFE_MS)
    with RedisGate(server, {3: lambda: meanwhile(client)}) as gate:
        shown = release("--wait", "--redis", gate.url, number=None)
    assert (shown.status, shown.stderr) == (0, told)
    assert attempts() == []


def test_release_wait_goes_on_while_no_server_answers(server: Server, client: Any) -> None:
    client.set(KEY, token(1), px=LIFE_MS)
    with RedisGate(server, {3: server.restart}) as gate:
        shown = release("--wait", "--redis", gate.url, number=None)
    assert (shown.status, shown.stderr) == (0, "demo/web is free\n")


def test_release_wait_for_a_lock_that_never_expires_is_refused(client: Any) -> None:
    client.set(KEY, token(1))
    assert "has no TTL: waiting helps nothing" in release("--wait", number=None).stderr


def test_release_of_an_ambiguous_name_lists_the_keys(client: Any) -> None:
    client.set(KEY, token(1))
    client.set("lock:actor:web", token(1))
    shown = release()
    assert shown.status == 2
    assert "error[E115]: there are 2 locks of that name: " in shown.stderr
    assert release(name="lock:actor:web").status == 0
    assert client.exists(KEY)


def test_release_that_cannot_be_noted_anywhere_is_refused(client: Any, private_homes: Path) -> None:
    client.set(KEY, token(1))
    client.set("atectl:lock-audit", "no stream")
    (private_homes / "xdg_state_home" / "atectl" / "lock-audit.jsonl").mkdir(parents=True)
    shown = release()
    assert (shown.status, client.exists(KEY)) == (125, 1)
    assert "error[E523]" in shown.stderr


def test_release_noted_in_one_place_alone_warns(client: Any) -> None:
    client.set(KEY, token(1))
    client.set("atectl:lock-audit", "no stream")
    shown = release()
    assert (shown.status, client.exists(KEY)) == (0, 0)
    assert shown.stderr.count("warning[E505]: ") == 1


def test_release_works_on_a_cluster(cluster: Cluster) -> None:
    with closing(cluster.client()) as client:
        client.set(KEY, token(1))
        client.hset(f"{{{KEY}}}:holder", mapping={"token": token(1)})
        assert release("--redis", cluster.url).status == 0
        assert not client.exists(KEY)
        assert not client.exists(f"{{{KEY}}}:holder")


# audit


@pytest.mark.usefixtures("server")
def test_audit_of_nothing_says_so() -> None:
    shown = atectl("locks", "audit")
    assert (shown.status, shown.stdout) == (0, "")
    assert "nobody has released a lock" in shown.stderr


def test_audit_draws_the_newest_first_and_limits(client: Any) -> None:
    for name in ("one", "two"):
        client.set(f"lock:actor:demo:{name}", token(1))
        assert release(name=f"demo/{name}").status == 0
    rows = atectl("locks", "audit").stdout.splitlines()[1:]
    assert [row.split()[2] for row in rows] == ["demo/two", "demo/one"]
    assert len(atectl("locks", "audit", "--rows", "1").stdout.splitlines()) == 2


# What cannot be done

GIVEN_UP_S = 20
"""Far beyond the time-outs that are asked for, and far below any wait for ever."""

COMMANDS = (["ls"], ["show", "demo/web"], ["release", "demo/web"], ["audit"])


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_without_a_server_every_command_says_so_in_one_line(words: list[str]) -> None:
    began = time.monotonic()
    url = "redis://user:hunter2@127.0.0.1:1"
    shown = atectl("locks", *words, "--redis", url)
    assert (shown.status, shown.stdout) == (125, "")
    assert re.match(r"(error|warning)\[E5\d\d\]: 127\.0\.0\.1:1 .*\n  try: ", shown.stderr)
    assert "hunter2" not in shown.stderr
    assert time.monotonic() - began < GIVEN_UP_S


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_server_that_stands_still_is_given_up_in_time(server: Server, words: list[str]) -> None:
    server.stop()
    began = time.monotonic()
    shown = atectl("locks", *words, "--redis-timeout", "500ms")
    server.cont()
    assert (shown.status, shown.stdout) == (125, "")
    assert "Traceback" not in shown.stderr
    assert time.monotonic() - began < GIVEN_UP_S


def test_a_user_without_permission_is_told(acl_server: AclServer) -> None:
    with closing(acl_server.client()) as admin:
        admin.set(KEY, token(1))
    viewer = ("--redis", acl_server.url_for("viewer"))
    shown = release(*viewer)
    assert shown.status == 125
    assert acl_server.passwords["viewer"] not in shown.stderr


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["ls", "--probe", "soon"], "E103"),
        (["ls", "--lock-ttl", "1ms"], "E103"),
        (["ls", "--lock-ttl", "2d"], "E103"),
        (["ls", "--sort", "weight"], "E101"),
        (["ls", "--fail-on", "bad"], "E101"),
        (["ls", "--watch"], "E101"),
        (["show", "No Actor"], "E114"),
        (["show"], "E101"),
        (["release", "demo/web", "--wait", "--force"], "E101"),
    ],
)
def test_a_wrong_command_line_is_one_clear_error(words: list[str], code: str) -> None:
    shown = atectl("locks", *words)
    assert (shown.status, shown.stdout) == (2, "")
    assert shown.stderr.startswith(f"error[{code}]: ")
    assert "\n  try: " in shown.stderr


def test_a_listing_as_json_imports_neither_the_engine_nor_what_draws(client: Any) -> None:
    client.set(KEY, token(1), px=30_000)
    shown = atectl(*("locks", "ls", "-o", "json"), environment={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines()}
    assert "redis" in imported
    assert not imported & {"wasmtime", "rich", "psutil", "sqlite3"}


# Where the server is, and its password


@pytest.mark.usefixtures("server")
def test_a_server_of_valkey_may_be_named_as_one(valkey: Server) -> None:
    url = valkey.url.replace("redis://", "valkey://")
    ended = atectl("locks", "ls", "--redis", url)
    assert (ended.status, ended.stderr) == (0, "no actor locks\n")


def test_a_password_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("\ufeffsecret\r\n", encoding="utf-8")
    with Server("requirepass secret", password="secret") as guarded:
        words = ["locks", "ls", "--redis", f"redis://{guarded.address}"]
        assert atectl(*words).status == 125
        ended = atectl(*words, "--redis-password-file", file)
    assert ended.status == 0, ended.stderr
