"""Hosts killed at any instant leave a ledger that opens, tells the truth, and calls them lost."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from atectl.ledger_store.opening import open_for_reading
from atectl.ledger_store.records import LOST
from tests.support.program import ATECTL

KILLS = 200
AT_ONCE = 4
LONGEST_S = 0.6
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


@pytest.mark.timeout(240)
def test_two_hundred_killed_runs_leave_a_true_ledger(tmp_path: Path) -> None:
    capsule = tmp_path / "grows.wat"
    capsule.write_text(GROWS_SLOWLY)
    for started in _batches(capsule):
        _kill_each_at_random(started)
        _check_the_ledger()
    store = open_for_reading()
    unfinished = store.running()
    store.close()
    # A run killed before its first flush has left nothing, which is as true.
    assert len(unfinished) > KILLS // 4
    assert {lease.state for lease in unfinished} == {LOST}


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
        assert process.wait(10) == -signal.SIGKILL


def _check_the_ledger() -> None:
    store = open_for_reading()
    accounts, running = store.accounts(), store.running()
    store.close()
    assert all(account.peak_bytes <= QUOTA_BYTES for account in accounts)
    assert all(account.running_leases == 0 for account in accounts)
    assert all(lease.state == LOST for lease in running)
