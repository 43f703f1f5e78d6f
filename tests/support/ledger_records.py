"""Accounts, leases of this very machine, and overviews, for tests of what shows a ledger."""

import os
import time
from typing import Any

from atectl.ledger_store.overview import Overview
from atectl.ledger_store.records import AccountRecord, LeaseRecord
from atectl.system.memory import HostMemory
from tests.support.lease_records import MIB, NOW, finish, make_lease, own_process

GIB = 1 << 30
HOST = os.uname().nodename

GONE = "an-earlier-boot:1:1"
"""The identity of a process that has ended for certain."""


def account(principal: str = "alpha", **changes: Any) -> AccountRecord:
    """An account of one finished lease, but for `changes`."""
    return AccountRecord(
        principal=principal,
        peak_bytes=32 * MIB,
        high_water_bytes=33 * MIB,
        quota_bytes=64 * MIB,
        running_leases=0,
        current_bytes=0,
        refused_growths=0,
        leases=1,
        compile_cpu_s=0.0,
        cpu_s=1.5,
        byte_seconds=2.5 * GIB,
        fuel=0,
        traps=0,
        last_capsule="hello.wasm",
        since=NOW - 200,
        updated_at=NOW - 20,
    )._replace(**changes)


def lease(principal: str = "alpha", **changes: Any) -> LeaseRecord:
    """A lease that this process runs, but for `changes`."""
    usual = {"host": HOST, "started_at": NOW - 200, "updated_at": NOW - 20, **own_process()}
    return make_lease(principal=principal, **{**usual, **changes})


def finished(principal: str = "alpha", **changes: Any) -> LeaseRecord:
    """A lease that ended with status 0 twenty seconds ago, but for `changes`."""
    return finish(lease(principal), **changes)


def just_now() -> dict[str, float]:
    """The changes that make a lease of the last minute, by the real clock."""
    now = time.time()
    return {"started_at": now - 60, "updated_at": now}


def overview(*accounts: AccountRecord, leases: tuple[LeaseRecord, ...] = ()) -> Overview:
    """A look at a machine of 16 GiB with a control group of 4."""
    memory = HostMemory(16 * GIB, 9 * GIB, 4 * GIB, 1 * GIB)
    return Overview(list(accounts), list(leases), memory, 231 * MIB, NOW)
