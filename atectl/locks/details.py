"""Everything about the lock of one actor: the keys it can have, the actors and their workers."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from atectl.locks.actor_records import WorkerRecord, decode_actor, decode_worker
from atectl.locks.errors import AmbiguousActor, Incomplete, UnknownLock
from atectl.locks.heartbeat import DEFAULT_TTL_S
from atectl.locks.keys import (
    ACTOR_PREFIX,
    DEFAULT_PREFIX,
    WORKER_PREFIX,
    ActorName,
    actor_of_lock,
    actor_of_record,
    companion_keys,
    glob_escaped,
    key_bytes,
    key_patterns,
    key_text,
    lock_key,
    parse_actor,
    worker_keys,
)
from atectl.locks.listing import Probe, second_look
from atectl.locks.lock import Actor, Lock, stranded
from atectl.locks.reading import LockReader
from atectl.redis.reading import Gap, Reading
from atectl.system.clock import boottime

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

_NAMES_COMPARED = 5000
"""How many names an unknown one is compared with, as comparing takes time."""


def unreadable(gaps: Sequence[Gap]) -> Incomplete:
    """The error for a lock that was looked for, and may be among what could not be read."""
    return Incomplete(f"it could not be read: {'; '.join(gap.message for gap in gaps)}")


class Worker(NamedTuple):
    """A worker, with its record."""

    key: str
    """The key of its record."""
    record: WorkerRecord
    """What the systems that run workers have written of it."""


class LockDetails(NamedTuple):
    """Everything about the lock of an actor.

    Attributes:
        keys: the keys that the lock can have.
        locks: the locks with these keys; or one that stands for a stranded actor.
        fences: the last fencing number that was given, by the key of the lock.
        actors: all actors of that name, in any atespace.
        workers: the workers of these actors.
        warnings: what to know about the server: words that `locks show` explains.
        incomplete: what could not be read.
    """

    keys: tuple[str, ...]
    locks: tuple[Lock, ...]
    fences: dict[str, int]
    actors: tuple[Actor, ...]
    workers: tuple[Worker, ...]
    warnings: tuple[str, ...] = ()
    incomplete: tuple[Gap, ...] = ()

    def only_lock(self) -> Lock:
        """The one lock that was found.

        Raises:
            UnknownLock: there is none (exit 1).
            AmbiguousActor: there are several (exit 2).
            Incomplete: there may be one that could not be read (exit 125).
        """
        held = [lock for lock in self.locks if lock.key is not None]
        if not held and self.incomplete:
            raise unreadable(self.incomplete)
        if not held:
            raise UnknownLock(f"there is no lock {' or '.join(self.keys)}")
        if len(held) > 1:
            keys = ", ".join(lock.key for lock in held if lock.key is not None)
            raise AmbiguousActor(f"there are {len(held)} locks of that name: {keys}")
        return held[0]


def lock_details(
    connection: "RedisConnection",
    wanted: str,
    prefix: str = DEFAULT_PREFIX,
    *,
    lock_ttl_s: float = DEFAULT_TTL_S,
    probe: Probe | None = None,
    clock: Callable[[], float] = boottime,
) -> LockDetails:
    """Everything about the lock of an actor.

    Args:
        connection: where to look.
        wanted: `ATESPACE/NAME`, `NAME` or the key of a lock.
        prefix: what the keys of locks begin with.
        lock_ttl_s: the TTL that holders give their locks, in seconds.
        probe: looks at the locks a second time; None for one look.
        clock: seconds of a clock that nobody sets.

    Raises:
        BadActor: `wanted` is none of these (exit 2).
        UnknownLock: there is neither a lock nor a record of this actor (exit 1).
        AtectlError: the server cannot be asked (exit 125).
    """
    reading = Reading(connection)
    details = _first_look(reading, wanted, prefix, lock_ttl_s, clock)
    several = len({lock.key for lock in details.locks}) > 1
    warnings = (*(("other-form",) if several else ()), *_warnings(connection))
    details = details._replace(warnings=warnings)
    if probe is not None:
        again = second_look(
            reading, details.locks, probe, prefix=prefix, lock_ttl_s=lock_ttl_s, clock=clock
        )
        details = details._replace(locks=tuple(again))
    return details._replace(incomplete=reading.incomplete)


def _first_look(
    reading: Reading,
    wanted: str,
    prefix: str,
    lock_ttl_s: float,
    clock: Callable[[], float],
) -> LockDetails:
    is_key = wanted.startswith(prefix)
    actor = actor_of_lock(wanted, prefix) if is_key else parse_actor(wanted, prefix)
    same_named = _same_named(reading, actor.name) if actor is not None else ()
    if is_key or actor is None:
        keys = [wanted]
    else:
        keys = _possible_keys(reading, actor, same_named, prefix)
    found = list(LockReader(reading, prefix, clock).read([key_bytes(key) for key in keys]))
    locks = [_with_actors(lock, same_named).judged(None, lock_ttl_s) for lock in found]
    meant = [each for each in same_named if actor is not None and _is_meant(each.name, actor)]
    if not locks:
        locks = [stranded(each) for each in meant if each.record.is_transitional]
    if not locks and not meant:
        if reading.incomplete:
            raise unreadable(reading.incomplete)
        raise _unknown(reading, wanted, prefix)
    return LockDetails(
        keys=tuple(keys),
        locks=tuple(locks),
        fences=_fences(reading, keys, prefix),
        actors=tuple(same_named),
        workers=tuple(_workers(reading, same_named)),
    )


def _warnings(connection: "RedisConnection") -> tuple[str, ...]:
    found = {"replica": connection.is_replica, "failover": connection.kind != "single"}
    return tuple(word for word, holds in found.items() if holds)


def _same_named(reading: Reading, name: str) -> tuple[Actor, ...]:
    """The actors of this name, in the order of their atespaces."""
    keys = sorted(reading.scan_keys(f"{ACTOR_PREFIX}*:{glob_escaped(name)}"))
    values = reading.get_values(keys, f"{ACTOR_PREFIX}*")
    named = [actor_of_record(key_text(key)) for key in keys]
    return tuple(
        Actor(actor, decode_actor(value))
        for actor, value in zip(named, values, strict=True)
        if actor is not None and actor.name == name and value is not None
    )


def _possible_keys(
    reading: Reading, actor: ActorName, same_named: Iterable[Actor], prefix: str
) -> list[str]:
    older = lock_key(ActorName(None, actor.name), prefix)
    if actor.atespace is not None:
        return [lock_key(actor, prefix), older]
    pattern = f"{glob_escaped(prefix)}*:{glob_escaped(actor.name)}"
    present = (key_text(key) for key in reading.scan_keys(pattern))
    locked = [key for key in present if actor_of_lock(key, prefix) is not None]
    recorded = [lock_key(each.name, prefix) for each in same_named]
    return [older, *sorted({*locked, *recorded})]


def _with_actors(lock: Lock, same_named: Iterable[Actor]) -> Lock:
    return lock._replace(actors=tuple(same_named)) if lock.atespace is None else lock


def _is_meant(name: ActorName, actor: ActorName) -> bool:
    return name.name == actor.name and actor.atespace in (None, name.atespace)


def _fences(reading: Reading, keys: list[str], prefix: str) -> dict[str, int]:
    fences = [key_bytes(companion_keys(key).fence) for key in keys]
    numbers = zip(keys, reading.get_values(fences, key_patterns(prefix)[1]), strict=True)
    return {
        key: int(number)
        for key, number in numbers
        if number is not None and number.isdigit() and len(number) <= 19
    }


def _workers(reading: Reading, actors: Iterable[Actor]) -> list[Worker]:
    keys = [
        key
        for actor in actors
        for key in worker_keys(
            actor.record.pod_namespace, actor.record.pool, actor.record.pod, actor.record.pod_uid
        )
    ]
    values = reading.get_values([key_bytes(key) for key in keys], f"{WORKER_PREFIX}*")
    return [
        Worker(key, decode_worker(value))
        for key, value in zip(keys, values, strict=True)
        if value is not None
    ]


def _unknown(reading: Reading, wanted: str, prefix: str) -> UnknownLock:
    """The error for a name without a lock, with a name that was meant if that is beyond doubt.

    Whoever releases the wrong lock does harm: so only one that is held and one edit away is named.
    """
    keys = map(key_text, reading.scan_keys(f"{glob_escaped(prefix)}*"))
    held = filter(None, (actor_of_lock(key, prefix) for key in islice(keys, _NAMES_COMPARED)))
    close = sorted({str(actor) for actor in held if is_one_edit_away(wanted, str(actor))})
    meant = f"; did you mean {close[0]}?" if len(close) == 1 else ""
    return UnknownLock(f"there is neither a lock nor a record of {wanted!r}{meant}")


def is_one_edit_away(one: str, other: str) -> bool:
    """Whether two words differ by one character that was left out, added, changed or swapped."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if start is None:
        return True
    rest, theirs = one[start:], other[start:]
    swapped = rest[1:2] + rest[:1] + rest[2:]
    return theirs in (swapped, theirs[:1] + rest[1:], rest[1:]) or theirs[1:] == rest
