"""`atectl ledger end`: a run, or one guest of a batch, is ended from another process."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CAPSULES
from tests.support.program import ATECTL, Ended, atectl
from tests.support.waiting import SOON_S, wait_until

SPIN = CAPSULES / "spin.wat"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"ATECTL_LEDGER": str(tmp_path / "ledger.db")}


def leases(environment: dict[str, str]) -> list[dict[str, Any]]:
    shown = atectl("ledger", "ps", "-o", "json", environment=environment)
    return json.loads(shown.stdout)["leases"] if shown.status == 0 else []


def end(lease: str, environment: dict[str, str]) -> Ended:
    return atectl("ledger", "end", lease, environment=environment)


@pytest.fixture
def run(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A run whose guest never ends by itself."""
    program = subprocess.Popen(
        [ATECTL, "run", SPIN], env={**os.environ, **environment}, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: leases(environment))
        yield program
    finally:
        program.kill()
        program.wait()


def test_a_run_is_terminated(environment: dict[str, str], run: subprocess.Popen[bytes]) -> None:
    [lease] = leases(environment)
    ended = end(lease["id"], environment)
    assert (ended.status, ended.stdout) == (0, "")
    assert f"lease {lease['id']} was told to end (default, spin.wat, process" in ended.stderr
    assert run.wait(SOON_S) == 128 + signal.SIGTERM


def test_the_beginning_of_an_id_will_do(
    environment: dict[str, str], run: subprocess.Popen[bytes]
) -> None:
    [lease] = leases(environment)
    assert end(lease["id"][:15], environment).status == 0
    assert run.wait(SOON_S) == 128 + signal.SIGTERM


def test_one_guest_of_a_batch_is_ended_alone(environment: dict[str, str]) -> None:
    jobs = "".join(json.dumps({"capsule": str(SPIN), "label": each}) + "\n" for each in "ab")
    words = [ATECTL, "batch", "-", "--jobs", "2", "--grace", "none"]
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
        text=True,
    ) as batch:
        assert batch.stdin is not None
        assert batch.stdout is not None
        batch.stdin.write(jobs)
        batch.stdin.close()
        wait_until(lambda: len(leases(environment)) == 2)
        [chosen] = [each for each in leases(environment) if each["label"] == "b"]
        assert end(chosen["id"], environment).status == 0
        result = json.loads(batch.stdout.readline())
        assert (result["label"], result["reason"]) == ("b", "terminated")
        wait_until(lambda: [each["label"] for each in leases(environment)] == ["a"])
        batch.terminate()
        [other] = [json.loads(line) for line in batch.stdout]
        assert other["label"] == "a"


def test_a_lease_that_does_not_run_is_told_apart(environment: dict[str, str]) -> None:
    atectl("run", CAPSULES / "hello.wat", environment=environment)
    ended = end("no-such-lease", environment)
    assert ended.status == 1
    assert ended.stderr.startswith("error[E414]: no lease 'no-such-lease' is running")


def test_a_lost_lease_cannot_be_ended(
    environment: dict[str, str], run: subprocess.Popen[bytes]
) -> None:
    run.kill()
    run.wait()
    [lease] = leases(environment)
    ended = end(lease["id"], environment)
    assert ended.status == 125
    assert "is lost: its process has ended" in ended.stderr
