"""What the commands of locks find, as programs read it."""

from collections.abc import Iterable
from typing import NamedTuple

from atectl.locks.audit import Attempt
from atectl.locks.charged import ChargedLock
from atectl.locks.details import LockDetails, Worker
from atectl.locks.holder_record import HolderRecord
from atectl.locks.lock import Actor, warnings_of
from atectl.locks.verdicts import Verdict
from atectl.redis.reading import Gap


class LockEntry(NamedTuple):
    """An actor lock, or an actor that is left in the middle of an operation without one."""

    key: str | None
    """Its key; null where there is no lock."""
    actor: str
    """The name in the key, whatever it may be."""
    atespace: str | None
    """The atespace in the key; null where an older key leaves it out."""
    token: str | None
    """Its value; null where that is no text, or where there is no lock."""
    ttl_ms: int | None
    """What is left of its TTL; null where it has none."""
    verdict: Verdict
    """What it is found to be."""
    holder: HolderRecord | None
    """The record that its holder keeps beside it; null where there is none of this token."""
    actor_status: str | None
    """The state of its actor; null where there is no record of it, or of several."""
    worker: str | None
    """The worker of its actor, as `namespace/pod`; null where that is not known."""
    actors: tuple[str, ...]
    """The actors on record that it can be of: several where the key leaves the atespace out."""
    age_s: float | None
    """For how long it has been held; null where that is not known."""
    principal: str | None
    """Whose work its holder does; null where that is not known."""
    current_bytes: int | None
    """The memory that this principal holds now; null where the ledger does not know it."""
    peak_bytes: int | None
    """The most that a lease of this principal was charged; null likewise."""
    fence: int | None
    """The number of its holder, which rises with every holder; null where that is not known."""
    warnings: tuple[str, ...]
    """What to know of it, in words that `atectl locks show` explains."""


class LockList(NamedTuple):
    """The actor locks that were found."""

    locks: tuple[LockEntry, ...]
    """As they were found, or in the order asked for."""
    incomplete: tuple[Gap, ...] = ()
    """What could not be read, and is missing above."""


class LockReport(NamedTuple):
    """Everything about the lock of one actor."""

    keys: tuple[str, ...]
    """The keys that its lock can have."""
    locks: tuple[LockEntry, ...]
    """Those of them that are there, or what stands for an actor that is stranded without one."""
    fences: dict[str, int]
    """The last number that was given to a holder, by the lock's key."""
    actors: tuple[Actor, ...]
    """All actors of that name, in any atespace."""
    workers: tuple[Worker, ...]
    """The workers that these are on."""
    warnings: tuple[str, ...]
    """What to know of the place that the locks are kept in."""
    incomplete: tuple[Gap, ...] = ()
    """What could not be read, and is missing above."""


class AttemptList(NamedTuple):
    """Who tried to release a lock, and what came of it."""

    attempts: tuple[Attempt, ...]
    """The newest first."""
    incomplete: tuple[Gap, ...] = ()
    """What could not be read, and is missing above."""


def lock_entry(row: ChargedLock) -> LockEntry:
    """A lock as it is listed."""
    lock, look, holder = row.lock, row.lock.look, row.lock.holder
    return LockEntry(
        key=lock.key,
        actor=lock.actor,
        atespace=lock.atespace,
        token=None if look is None else look.token,
        ttl_ms=None if look is None or look.ttl_s is None else round(look.ttl_s * 1000),
        verdict=lock.verdict,
        holder=holder,
        actor_status=row.actor_status,
        worker=row.worker,
        actors=tuple(str(actor.name) for actor in lock.actors),
        age_s=None if lock.age_s is None else round(lock.age_s, 3),
        principal=row.principal,
        current_bytes=row.current_bytes,
        peak_bytes=row.peak_bytes,
        fence=None if holder is None else holder.fence,
        warnings=tuple(warnings_of(lock)),
    )


def lock_report(details: LockDetails, rows: Iterable[ChargedLock]) -> LockReport:
    """Everything about the lock of one actor.

    Args:
        details: what was found.
        rows: the locks of `details` with the memory of their principals.
    """
    return LockReport(
        details.keys,
        tuple(map(lock_entry, rows)),
        details.fences,
        details.actors,
        details.workers,
        details.warnings,
        details.incomplete,
    )
