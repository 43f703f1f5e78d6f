"""Hosts killed at any instant leave a ledger that opens, tells the truth, and calls them lost."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from atectl.ledger_store.opening import open_for_reading
from atectl.ledger_store.records import LOST, LeaseRecord
from tests.support.program import ATECTL
from tests.support.waiting import wait_until

KILLS = 100
AT_ONCE = 4
LONGEST_S = 0.3
QUOTA_BYTES = 8 << 20

GROWS_SLOWLY = """(module (memory 1)
  (func (export "_start") (local $i i32)
    (loop $forever
      (drop (memory.grow (i32.const 1)))
      (local.set $i (i32.const 3000000))
      (loop $wait
        (local.set $i (i32.sub (local.get $i) (i32.const 1)))
        (br_if $wait (local.get $i)))
      (br $forever))))"""


@pytest.mark.slow
def test_a_hundred_killed_runs_leave_a_true_ledger(tmp_path: Path) -> None:
    capsule = tmp_path / "grows.wat"
    capsule.write_text(GROWS_SLOWLY)
    for started in _batches(capsule):
        # Half of them are killed as they begin, and may leave nothing, which is as true.
        _kill_each_at_random(started[::2])
        _until_in_the_ledger(started[1::2])
        _kill_each_at_random(started[1::2])
        _check_the_ledger()
    unfinished = _running()
    assert len(unfinished) >= KILLS // 2
    assert {lease.state for lease in unfinished} == {LOST}


def _running() -> list[LeaseRecord]:
    with closing(open_for_reading()) as store:
        return store.running()


def _until_in_the_ledger(started: "list[subprocess.Popen[bytes]]") -> None:
    wanted = {process.pid for process in started}
    wait_until(lambda: wanted <= {lease.pid for lease in _running()})


def _batches(capsule: Path) -> Iterator["list[subprocess.Popen[bytes]]"]:
    for batch in range(KILLS // AT_ONCE):
        yield [
            subprocess.Popen(
                [
                    ATECTL, "run", "--max-mem", str(QUOTA_BYTES),
                    "--principal", f"killed-{(batch * AT_ONCE + number) % 20}", str(capsule),
                ],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            for number in range(AT_ONCE)
        ]  # fmt: skip


def _kill_each_at_random(started: "list[subprocess.Popen[bytes]]") -> None:
    instants = sorted(random.uniform(0, LONGEST_S) for _ in started)
    began = time.monotonic()
    for process, instant in zip(started, instants, strict=True):
        time.sleep(max(began + instant - time.monotonic(), 0))
        os.kill(process.pid, signal.SIGKILL)
    for process in started:
        assert process.wait() == -signal.SIGKILL


def _check_the_ledger() -> None:
    with closing(open_for_reading()) as store:
        accounts, running = store.accounts(), store.running()
    assert all(account.peak_bytes <= QUOTA_BYTES for account in accounts)
    assert all(account.running_leases == 0 for account in accounts)
    assert all(lease.state == LOST for lease in running)
