"""Locks under the field names that scripts rely on."""

import json
import sys
from collections.abc import Iterable
from typing import Any

from atectl.locks.audit import Attempt
from atectl.locks.charged import ChargedLock
from atectl.locks.details import LockDetails, Worker
from atectl.locks.holder_record import HolderRecord
from atectl.locks.listing import Actor, warnings_of

from ..output.stdout import SCHEMA_VERSION, rfc3339
from .sorting import actor_status


def print_locks(rows: Iterable[ChargedLock]) -> None:
    """Print the locks as they come, one a line within one JSON object, keeping none of them."""
    write = sys.stdout.write
    write(f'{{\n  "schema_version": {SCHEMA_VERSION},\n  "locks": [')
    separator = "\n    "
    for row in rows:
        write(separator + json.dumps(lock_json(row)))
        separator = ",\n    "
    write("\n  ]\n}\n" if separator.startswith(",") else "]\n}\n")


def lock_json(row: ChargedLock) -> dict[str, Any]:
    """One lock; what is not known is null."""
    lock, look = row.lock, row.lock.look
    return {
        "key": lock.key,
        "actor": lock.actor,
        "atespace": lock.atespace,
        "token": look.token if look is not None else None,
        "ttl_ms": round(look.ttl_s * 1000) if look is not None and look.ttl_s is not None else None,
        "verdict": lock.verdict.value,
        "holder": holder_json(lock.holder),
        "actor_status": actor_status(row),
        "worker": worker_of(row),
        "actors": [str(actor.name) for actor in lock.actors],
        "age_s": None if lock.age_s is None else round(lock.age_s, 3),
        "principal": row.principal,
        "current_bytes": row.current_bytes,
        "peak_bytes": row.peak_bytes,
        "fence": lock.holder.fence if lock.holder is not None else None,
        "warnings": warnings_of(lock),
    }


def worker_of(row: ChargedLock) -> str | None:
    """The worker of the lock's one actor, as `namespace/pod`; None if that is not known."""
    actors = row.lock.actors
    return (actors[0].record.worker or None) if len(actors) == 1 else None


def holder_json(holder: HolderRecord | None) -> dict[str, Any] | None:
    """A holder record, its times in RFC 3339."""
    if holder is None:
        return None
    times = {name: rfc3339(getattr(holder, name)) for name in ("since", "deadline")}
    return holder._asdict() | times


def details_json(details: LockDetails, rows: Iterable[ChargedLock]) -> dict[str, Any]:
    """Everything about the lock of one actor."""
    return {
        "keys": list(details.keys),
        "locks": [lock_json(row) for row in rows],
        "fences": details.fences,
        "actors": [_actor_json(actor) for actor in details.actors],
        "workers": [_worker_json(worker) for worker in details.workers],
    }


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """One attempt to release a lock."""
    return attempt.note._asdict() | {
        "at": rfc3339(attempt.note.at),
        "places": list(attempt.places),
    }


def _actor_json(actor: Actor) -> dict[str, Any]:
    return {"atespace": actor.name.atespace, "name": actor.name.name} | {
        "record": _known(actor.record._asdict())
    }


def _worker_json(worker: Worker) -> dict[str, Any]:
    return {"key": worker.key, "record": _known(worker.record._asdict())}


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value == "" else value for name, value in fields.items()}
