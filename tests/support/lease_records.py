"""Leases for tests of stores and of what reads them."""

import os
from random import Random

from atectl.ledger_store.records import LeaseRecord
from atectl.system import processes

HOST = "host-a"
NOW = 1_700_000_000.0
MIB = 1 << 20


def make_lease(**changes: object) -> LeaseRecord:
    """A running lease of a process on `HOST` that is alive, but for `changes`."""
    usual: dict[str, object] = {
        "id": "lease-1",
        "principal": "alice",
        "capsule": "hello.wasm",
        "label": "",
        "host": HOST,
        "pid": 4242,
        "process": "alive",
        "state": "running",
        "current_bytes": MIB,
        "peak_bytes": 2 * MIB,
        "high_water_bytes": 3 * MIB,
        "quota_bytes": 64 * MIB,
        "refused_growths": 1,
        "largest_refused_bytes": MIB,
        "cpu_s": 0.5,
        "byte_seconds": 10.0,
        "fuel": 100,
        "trapped": 0,
        "started_at": NOW,
        "updated_at": NOW + 1,
    }
    return LeaseRecord(**usual | changes)  # type: ignore[arg-type]


def finish(lease: LeaseRecord, **changes: object) -> LeaseRecord:
    """`lease` after its guest exited with status 0."""
    usual: dict[str, object] = {
        "state": "finished",
        "current_bytes": 0,
        "finished_at": lease.updated_at,
        "reason": "exited",
        "exit_status": 0,
    }
    return lease._replace(**usual | changes)  # type: ignore[arg-type]


def begin(name: str, principal: str, host: str, now: float) -> LeaseRecord:
    """A lease of a host that has used nothing yet."""
    return make_lease(
        id=name, principal=principal, host=host, started_at=now,
        fuel=0, cpu_s=0.0, refused_growths=0, byte_seconds=0.0,
    )  # fmt: skip


def use_more(lease: LeaseRecord, now: float, source: Random) -> LeaseRecord:
    """The lease once it has used something more, in whole units."""
    return lease._replace(
        updated_at=now,
        fuel=lease.fuel + source.randrange(1000),
        cpu_s=lease.cpu_s + source.randrange(1000) / 1e6,
        byte_seconds=lease.byte_seconds + source.randrange(10**6) / 1000,
        refused_growths=lease.refused_growths + source.randrange(3),
    )


def is_gone(pid: int, identity: str) -> bool:
    """Stands for `atectl.system.processes.is_gone`: a process that called itself `gone` is."""
    return identity == "gone"


def own_process() -> dict[str, object]:
    """The changes that make a lease one of this process."""
    return {"pid": os.getpid(), "process": processes.own_identity()}
