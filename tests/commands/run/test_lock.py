"""`atectl run --actor`: a capsule that runs while an actor's lock is held for it."""

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from atectl.locks.keys import companion_keys
from tests.conftest import CAPSULES
from tests.support.program import ATECTL, atectl
from tests.support.redis_servers import Cluster, Server
from tests.support.waiting import SOON_S, wait_until

KEY = "lock:actor:team:web"
SUCCESSOR = "01234567-89ab-4cde-8f01-23456789abcd"

pytestmark = pytest.mark.usefixtures("compiled_capsules")


def capsule(name: str) -> Path:
    return CAPSULES / f"{name}.wat"


@contextmanager
def running(url: str, *words: str | Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A run under the lock that has been taken; killed at the end, if it still goes on."""
    process = subprocess.Popen(
        [ATECTL, "run", "--actor", "team/web", "--redis", url, *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until_locked(server: Server, process: "subprocess.Popen[bytes]") -> None:
    with contextlib.closing(server.client()) as client:
        wait_until(lambda: bool(client.exists(KEY)) or process.poll() is not None)
    assert process.poll() is None, process.communicate()


def value_of(server: Server, key: str) -> bytes | None:
    with contextlib.closing(server.client()) as client:
        value: bytes | None = client.get(key)
        return value


def reported(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text())
    return report


@pytest.mark.parametrize("kind", ["valkey", "redis7", "cluster"])
def test_the_lock_is_taken_and_released_and_the_report_names_it(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    server: Server | Cluster = request.getfixturevalue(kind)
    report = tmp_path / "report.json"
    words = ["--actor", "team/web", "--redis", server.url, "--report", report]
    ended = atectl("run", *words, capsule("exit-status"))
    assert (ended.status, ended.stderr) == (7, "")
    assert reported(report)["lock"] == {"actor": "team/web", "key": KEY, "fence": 1}
    with contextlib.closing(server.client()) as client:
        assert client.exists(KEY) == 0
        assert client.get(companion_keys(KEY).fence) == b"1"


def test_a_busy_lock_is_refused_and_nothing_runs(valkey: Server, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with running(valkey.url, capsule("sleep")) as process:
        until_locked(valkey, process)
        words = ["--actor", "team/web", "--redis", valkey.url, "--report", report]
        ended = atectl("run", *words, capsule("hello"))
        assert (ended.status, ended.stdout) == (75, "")
        assert f"pid {process.pid}" in ended.stderr
        assert reported(report)["reason"] == "refused"
        assert reported(report)["error"]["code"] == "E540"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_wait_and_nothing_runs(
    valkey: Server, number: signal.Signals, status: int
) -> None:
    with contextlib.closing(valkey.client()) as client:
        client.set(KEY, SUCCESSOR, px=60_000)
    with running(valkey.url, "--lock-wait", "60s", capsule("hello")) as process:
        with contextlib.closing(valkey.client()) as client:
            wait_until(lambda: "cmdstat_evalsha" in client.info("commandstats"))
        process.send_signal(number)
        assert process.wait(SOON_S) == status
    assert value_of(valkey, KEY) == SUCCESSOR.encode()


def test_a_run_starts_when_it_has_its_lock(valkey: Server) -> None:
    before = time.time()
    with contextlib.closing(valkey.client()) as client:
        client.set(KEY, SUCCESSOR, px=1_500)
    words = ["--actor", "team/web", "--redis", valkey.url, "--lock-wait", "60s"]
    assert atectl("run", *words, capsule("hello")).status == 0
    [lease] = json.loads(atectl("ledger", "history", "-o", "json").stdout)["leases"]
    assert datetime.fromisoformat(lease["started_at"]).timestamp() - before > 1.4


def test_a_lock_that_somebody_else_has_ends_the_run(valkey: Server, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = ["--lock-ttl", "2s", "--report", report, "--principal", "p", capsule("spin")]
    with running(valkey.url, *words) as process:
        until_locked(valkey, process)
        with contextlib.closing(valkey.client()) as client:
            client.set(KEY, SUCCESSOR, px=60_000)
        _, stderr = process.communicate(timeout=SOON_S)
    assert process.returncode == 125
    assert b"error[E541]: the lock is somebody else's now" in stderr
    found = reported(report)
    assert (found["reason"], found["exit_status"]) == ("lock-lost", 125)
    assert found["error"]["code"] == "E541"
    [lease] = json.loads(atectl("ledger", "history", "-o", "json").stdout)["leases"]
    assert (lease["reason"], lease["exit_status"]) == ("lock-lost", 125)
    assert value_of(valkey, KEY) == SUCCESSOR.encode()


def test_a_run_that_was_paused_past_its_ttl_ends_as_it_wakes(valkey: Server) -> None:
    with running(valkey.url, "--lock-ttl", "2s", capsule("spin")) as process:
        until_locked(valkey, process)
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: value_of(valkey, KEY) is None)
        process.send_signal(signal.SIGCONT)
        _, stderr = process.communicate(timeout=SOON_S)
        assert process.returncode == 125
        assert b"error[E541]: no renewal of the lock was answered" in stderr


def test_a_release_that_cannot_be_asked_for_costs_a_warning_and_not_the_run(
    valkey: Server,
) -> None:
    process = subprocess.Popen(
        [ATECTL, "run", "--actor", "team/web", "--redis", valkey.url, str(capsule("echo"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"it runs\n")
        process.stdin.flush()
        # Until then the answer that the lock is ours may still be on its way.
        assert process.stdout.readline() == b"it runs\n"
        valkey.kill()
        _, stderr = process.communicate(timeout=SOON_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert stderr.startswith(b"warning[E501]")


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        (["--actor", "team/web"], "E511", 2),
        (["--actor", "Team Web", "--redis", "redis://127.0.0.1:1"], "E114", 2),
        (["--actor", "team/web", "--redis", "redis://127.0.0.1:1"], "E501", 125),
        (["--actor", "a", "--lock-ttl", "1s", "--redis", "redis://127.0.0.1:1"], "E545", 2),
        (["--redis", "redis://127.0.0.1:1"], "E101", 2),
        (["--lock-wait", "soon", "--actor", "team/web"], "E103", 2),
    ],
)
def test_bad_input_is_one_error_and_nothing_runs(words: list[str], code: str, status: int) -> None:
    ended = atectl("run", *words, capsule("hello"))
    assert (ended.status, ended.stdout) == (status, "")
    assert ended.stderr.startswith(f"error[{code}]: ")
    assert ended.stderr.count("error[") == 1
