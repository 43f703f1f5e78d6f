"""What the ledger records of a lease: the figures for its account, and its row in listings."""

import os
import time
from typing import Protocol

from atectl.accounting import Observation, Reading, Usage
from atectl.lease.course import Course
from atectl.lease.terms import Terms
from atectl.ledger_store.records import FINISHED, LeaseRecord
from atectl.system.processes import own_identity

_HOST = os.uname().nodename


class RecordedCapsule(Protocol):
    """What the ledger needs to know of a capsule, whether it ran or was refused."""

    @property
    def title(self) -> str: ...
    @property
    def sha256(self) -> str | None: ...
    @property
    def was_cached(self) -> bool: ...
    @property
    def compile_s(self) -> float: ...
    @property
    def compile_cpu_s(self) -> float: ...
    @property
    def compile_peak_bytes(self) -> int: ...


class Recorded(Protocol):
    """What the ledger needs to know of a lease, beside its course."""

    @property
    def id(self) -> str: ...
    @property
    def capsule(self) -> RecordedCapsule: ...
    @property
    def terms(self) -> Terms: ...
    @property
    def state(self) -> str: ...
    @property
    def cpu_s(self) -> float: ...
    @property
    def fuel(self) -> int: ...
    def read(self) -> Reading: ...


def new_id() -> str:
    """An id for a lease: none of another host or process is the same."""
    return f"{time.time_ns() // 1_000_000:012x}-{os.urandom(4).hex()}"


def observation_of(lease: Recorded, course: Course) -> Observation:
    """What an account counts for a lease: now, or when it ended."""
    reading, outcome = lease.read(), course.outcome
    usage = Usage(
        reading.peak_bytes,
        lease.fuel,
        lease.cpu_s,
        reading.byte_seconds,
        1,
        reading.refused_growths,
        int(outcome is not None and outcome.trap is not None),
        lease.capsule.compile_cpu_s,
    )
    return Observation(lease.id, lease.terms.principal, reading.grown_bytes, usage)


def record_of(lease: Recorded, course: Course) -> LeaseRecord:
    """The record of a lease of this process: now, or when it ended."""
    reading, terms, capsule, outcome = lease.read(), lease.terms, lease.capsule, course.outcome
    running = outcome is None
    return LeaseRecord(
        id=lease.id,
        principal=terms.principal,
        capsule=capsule.title,
        label=terms.label,
        host=_HOST,
        pid=os.getpid(),
        process=own_identity(),
        state=lease.state if running else FINISHED,
        current_bytes=reading.current_bytes if running else 0,
        peak_bytes=reading.grown_bytes,
        high_water_bytes=reading.peak_bytes,
        quota_bytes=terms.quota.memory_bytes,
        refused_growths=reading.refused_growths,
        largest_refused_bytes=reading.largest_refused_bytes,
        cpu_s=lease.cpu_s,
        byte_seconds=reading.byte_seconds,
        fuel=lease.fuel,
        trapped=int(outcome is not None and outcome.trap is not None),
        started_at=course.started_at,
        updated_at=time.time() if running else course.ended_at,
        finished_at=None if running else course.ended_at,
        reason=None if outcome is None else outcome.reason,
        exit_status=None if outcome is None else outcome.exit_status,
        sha256=capsule.sha256,
        cached=capsule.was_cached,
        compile_s=capsule.compile_s,
        compile_cpu_s=capsule.compile_cpu_s,
        compile_peak_bytes=capsule.compile_peak_bytes,
    )
