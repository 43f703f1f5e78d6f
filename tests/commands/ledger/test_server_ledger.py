"""One ledger for many hosts, as its users meet it: real runs, a real server, real SIGKILL."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from atectl.ledger_store.redis import keys
from tests.conftest import CAPSULES
from tests.support.program import ATECTL, atectl
from tests.support.redis_servers import Server, TlsServer
from tests.support.waiting import wait_until

SLEEP, HELLO = CAPSULES / "sleep.wat", CAPSULES / "hello.wat"


@pytest.fixture
def fleet(valkey: Server) -> dict[str, str]:
    """The environment of hosts whose ledger is on a server."""
    return {"ATECTL_LEDGER": valkey.url}


def listed(fleet: dict[str, str], *words: str) -> Any:
    shown = atectl("ledger", *words, "-o", "json", environment=fleet)
    assert (shown.status, shown.stderr) == (0, "")
    return json.loads(shown.stdout)


@contextmanager
def host(name: str, fleet: dict[str, str], principal: str) -> Iterator[subprocess.Popen[bytes]]:
    """A host whose guest sleeps until it is ended."""
    words = [ATECTL, "run", "--host-name", name, "--principal", principal, SLEEP]
    program = subprocess.Popen(words, env={**os.environ, **fleet}, stderr=subprocess.DEVNULL)
    try:
        yield program
    finally:
        program.kill()
        program.wait()


def test_two_hosts_are_seen_live_and_one_that_is_killed_is_lost(fleet: dict[str, str]) -> None:
    def states() -> dict[str, str]:
        return {lease["host"]: lease["state"] for lease in listed(fleet, "ps")["leases"]}

    with host("east", fleet, "alice"), host("west", fleet, "bob") as west:
        wait_until(lambda: states() == {"east": "running", "west": "running"})
        assert {row["name"] for row in listed(fleet, "ls", "--by", "host")["groups"]} == {
            "east", "west",
        }  # fmt: skip
        west.kill()
        wait_until(lambda: states() == {"east": "running", "west": "lost"})
        [lost] = listed(fleet, "history")["leases"]
        assert (lost["host"], lost["reason"]) == ("west", "lost")


def test_what_a_run_used_is_on_the_server_when_it_has_ended(fleet: dict[str, str]) -> None:
    ended = atectl("run", "--principal", "alice", HELLO, environment=fleet)
    assert (ended.status, ended.stderr) == (0, "")
    [account] = listed(fleet, "ls")["accounts"]
    assert (account["principal"], account["leases"]) == ("alice", 1)
    assert [row["leases"] for row in listed(fleet, "usage")["usage"]] == [1]


def test_a_server_that_is_down_changes_no_run_and_is_told_later(
    fleet: dict[str, str], valkey: Server
) -> None:
    valkey.kill()
    ended = atectl("run", "--principal", "alice", HELLO, environment=fleet)
    assert (ended.status, ended.stdout) == (0, "hello from a capsule\n")
    assert ended.stderr.startswith("warning[E409]")
    valkey.start()
    ended = atectl("run", "--principal", "bob", HELLO, environment=fleet)
    assert (ended.status, ended.stderr) == (0, "")
    assert {a["principal"]: a["leases"] for a in listed(fleet, "ls")["accounts"]} == {
        "alice": 1, "bob": 1,
    }  # fmt: skip


def test_a_batch_tells_the_server_of_all_its_jobs(fleet: dict[str, str]) -> None:
    jobs = "".join(
        json.dumps({"capsule": str(HELLO), "principal": f"p{n % 3}"}) + "\n" for n in range(30)
    )
    ended = atectl("batch", "--host-name", "east", "-", stdin=jobs.encode(), environment=fleet)
    assert ended.status == 0
    assert {a["principal"]: a["leases"] for a in listed(fleet, "ls")["accounts"]} == {
        "p0": 10, "p1": 10, "p2": 10,
    }  # fmt: skip
    assert {lease["host"] for lease in listed(fleet, "history")["leases"]} == {"east"}


@pytest.mark.parametrize(
    ("ledger", "code"), [("http://x", "E101"), ("redis://", "E510"), ("redis://h:x", "E510")]
)
def test_a_place_where_no_ledger_can_be_is_refused_before_a_guest_runs(
    ledger: str, code: str
) -> None:
    ended = atectl("run", "--ledger", ledger, HELLO)
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error[{code}]")


def test_doctor_asks_the_server(fleet: dict[str, str], valkey: Server) -> None:
    shown = atectl("doctor", "-o", "json", environment=fleet)
    checks = {check["name"]: check for check in json.loads(shown.stdout)["checks"]}
    assert checks["ledger"]["verdict"] == "ok"
    valkey.kill()
    shown = atectl("doctor", "-o", "json", environment=fleet)
    checks = {check["name"]: check for check in json.loads(shown.stdout)["checks"]}
    assert checks["ledger"]["verdict"] == "problem"


def test_a_damaged_account_is_named_by_doctor_and_forgotten_by_a_reset(
    fleet: dict[str, str], valkey: Server
) -> None:
    with closing(valkey.client()) as client:
        client.hset(keys.ACCOUNTS, "bob", "damaged")
    jobs = [{"capsule": str(HELLO), "principal": name} for name in ("alice", "bob")]
    lines = "\n".join(map(json.dumps, jobs)).encode()
    batch = atectl("batch", "-", "-q", stdin=lines, environment=fleet)
    assert (batch.status, batch.stderr) == (0, "")
    shown = atectl("doctor", "-o", "json", environment=fleet)
    [check] = [each for each in json.loads(shown.stdout)["checks"] if each["name"] == "ledger"]
    assert check["found"].startswith("the account of 'bob' in the ledger")
    assert "`atectl ledger reset PRINCIPAL`" in check["remedy"]
    asked = atectl("ledger", "reset", "bob", environment=fleet)
    assert "forget what there is of bob, which cannot all be read" in asked.stderr
    assert atectl("ledger", "reset", "bob", "--yes", environment=fleet).status == 0
    assert [account["principal"] for account in listed(fleet, "ls")["accounts"]] == ["alice"]


def test_a_run_tells_a_server_by_tls_and_the_ledger_is_read_there(tls_server: TlsServer) -> None:
    environment = {
        "ATECTL_LEDGER": tls_server.url,
        "ATECTL_CONFIG": str(tls_server.folder / "atectl.toml"),
    }
    (tls_server.folder / "atectl.toml").write_text(
        f'[redis]\nurl = "{tls_server.url}"\nca = "{tls_server.ca_file}"\n'
        f'cert = "{tls_server.client_pem}"\nserver_name = "{tls_server.server_name}"\n'
    )
    ended = atectl("run", "--principal", "alice", HELLO, environment=environment)
    assert (ended.status, ended.stderr) == (0, "")
    assert [row["principal"] for row in listed(environment, "ls")["accounts"]] == ["alice"]


def test_a_server_whose_certificate_is_of_an_unknown_authority_is_told_nothing(
    tls_server: TlsServer,
) -> None:
    environment = {"ATECTL_LEDGER": tls_server.url}
    ended = atectl("run", "--principal", "alice", HELLO, environment=environment)
    assert (ended.status, ended.stdout) == (0, "hello from a capsule\n")
    assert "of an unknown authority; 1 lease for its ledger kept in" in ended.stderr
    assert "check ca under [redis] in atectl.toml" in ended.stderr
    shown = atectl("ledger", "ls", environment=environment)
    assert shown.status == 125
    assert "certificate" in shown.stderr
