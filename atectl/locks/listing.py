"""Listing actor locks with their actors and holders.

A listing is a stream: each batch is looked at, judged and forgotten. So a hundred thousand locks
need no more memory than a thousand, except for their keys.
"""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from atectl.locks.actor_records import decode_actor
from atectl.locks.heartbeat import DEFAULT_TTL_S
from atectl.locks.keys import (
    ACTOR_PREFIX,
    DEFAULT_PREFIX,
    ActorName,
    actor_of_lock,
    actor_of_record,
    glob_escaped,
    hash_tag,
    is_companion,
    key_bytes,
    key_text,
    lock_key,
)
from atectl.locks.lock import Actor, Lock, stranded
from atectl.locks.reading import LockReader, batches, looks_at
from atectl.locks.verdicts import Watch
from atectl.redis.reading import Reading
from atectl.system.clock import boottime


class Selection(NamedTuple):
    """Which locks to list.

    Attributes:
        prefix: what their keys begin with.
        pattern: a glob, on `ATESPACE/NAME` if it has a slash, else on the name alone.
        atespace: only locks of this atespace; None for all.
    """

    prefix: str = DEFAULT_PREFIX
    pattern: str | None = None
    atespace: str | None = None

    @property
    def is_of_all(self) -> bool:
        return self.pattern is None and self.atespace is None

    @property
    def is_of_any_atespace(self) -> bool:
        return self.atespace is None and "/" not in (self.pattern or "")

    def takes_name(self, name: str) -> bool:
        """Whether a lock of this name may be selected, if its atespace is not known yet."""
        pattern = (self.pattern or "*").rpartition("/")[2]
        return fnmatchcase(name, pattern)

    def takes(self, actor: ActorName) -> bool:
        """Whether a lock of this actor is selected."""
        if self.atespace not in (None, actor.atespace):
            return False
        is_whole = self.pattern is not None and "/" in self.pattern
        return fnmatchcase(str(actor) if is_whole else actor.name, self.pattern or "*")


def list_locks(
    reading: Reading,
    selection: Selection = Selection(),  # noqa: B008
    *,
    lock_ttl_s: float = DEFAULT_TTL_S,
    clock: Callable[[], float] = boottime,
    on_progress: Callable[[int], object] | None = None,
) -> Iterator[Lock]:
    """Every lock once, in the order in which they are found; then the stranded actors.

    Locks whose key leaves the atespace out come last, with every actor of that name.

    Args:
        reading: reads from all primaries, and knows in the end what could not be read.
        selection: which locks to list.
        lock_ttl_s: the TTL that holders give their locks, in seconds.
        clock: seconds of a clock that nobody sets.
        on_progress: called after each batch with the number of locks looked at so far.

    Raises:
        AtectlError: the server cannot be asked (exit 125).
    """
    reader = LockReader(reading, selection.prefix, clock)
    seen: set[bytes] = set()
    shared: dict[str, Lock] = {}
    for wanted in _keys(reading, selection, seen):
        for lock in reader.read(wanted):
            if lock.atespace is None:
                shared[lock.actor] = lock
            else:
                yield lock.judged(None, lock_ttl_s)
        if on_progress is not None:
            on_progress(len(seen))
    yield from _unlocked(reading, selection, seen, shared)
    for lock in shared.values():
        if selection.is_of_any_atespace or any(selection.takes(x.name) for x in lock.actors):
            yield lock.judged(None, lock_ttl_s)


def _keys(reading: Reading, selection: Selection, seen: set[bytes]) -> Iterator[list[bytes]]:
    """The keys of locks that may be selected, each once. `seen` gets those of all locks."""
    is_tagged = hash_tag(selection.prefix) is not None
    for keys in reading.scan(glob_escaped(selection.prefix) + "*"):
        fresh = [key for key in dict.fromkeys(keys) if key not in seen]
        if is_tagged:
            fresh = [key for key in fresh if not is_companion(key_text(key))]
        seen.update(fresh)
        yield fresh if selection.is_of_all else [k for k in fresh if _is_meant(k, selection)]


class Probe(NamedTuple):
    """A second look at locks.

    Attributes:
        seconds: the time between the two looks.
        let_pass: waits for that time.
    """

    seconds: float
    let_pass: Callable[[float], object]


def second_look(
    reading: Reading,
    locks: Sequence[Lock],
    probe: Probe,
    *,
    prefix: str = DEFAULT_PREFIX,
    lock_ttl_s: float = DEFAULT_TTL_S,
    clock: Callable[[], float] = boottime,
) -> Iterator[Lock]:
    """Wait for the time of a probe and look again, as `look_again` does.

    Without any lock among `locks` there is nothing to wait for.

    Raises:
        AtectlError: the server cannot be asked (exit 125).
    """
    if any(lock.key is not None for lock in locks):
        probe.let_pass(probe.seconds)
    return look_again(reading, locks, prefix=prefix, lock_ttl_s=lock_ttl_s, clock=clock)


def look_again(
    reading: Reading,
    locks: Sequence[Lock],
    *,
    prefix: str = DEFAULT_PREFIX,
    lock_ttl_s: float = DEFAULT_TTL_S,
    clock: Callable[[], float] = boottime,
) -> Iterator[Lock]:
    """Those of the locks that are still there, judged by two looks, in the same order.

    Raises:
        AtectlError: the server cannot be asked (exit 125).
    """
    for batch in batches(locks):
        keys = [key_bytes(lock.key) for lock in batch if lock.key is not None]
        looks = dict(zip(keys, looks_at(reading, keys, prefix, clock), strict=True))
        for lock in batch:
            second = None if lock.key is None else looks[key_bytes(lock.key)]
            if lock.key is None or second is not None:
                yield lock.judged(second, lock_ttl_s)


def list_watched(
    reading: Reading,
    selection: Selection,
    watch: Watch,
    *,
    clock: Callable[[], float] = boottime,
) -> list[Lock]:
    """The locks that are there now, each judged by all looks at it that `watch` knows.

    Raises:
        AtectlError: the server cannot be asked (exit 125).
    """
    locks = []
    for lock in list_locks(reading, selection, clock=clock):
        if lock.key is not None and lock.look is not None:
            verdict = watch.judge(lock.key, lock.look, is_idle=lock.is_idle)
            lock = lock._replace(verdict=verdict)
        locks.append(lock)
    watch.keep({lock.key for lock in locks if lock.key is not None})
    return locks


def _is_meant(key: bytes, selection: Selection) -> bool:
    text = key_text(key)
    actor = actor_of_lock(text, selection.prefix)
    if actor is None or actor.atespace is None:
        # The atespaces that an older key stands for are known once the actors have been read.
        name = text.removeprefix(selection.prefix) if actor is None else actor.name
        return selection.takes_name(name)
    return selection.takes(actor)


def _unlocked(
    reading: Reading, selection: Selection, locked: set[bytes], shared: dict[str, Lock]
) -> Iterator[Lock]:
    """What stands for each stranded actor, once. Actors of `shared` locks are added to these."""
    told: set[str] = set()
    for actors in _records(reading, selection, locked, shared):
        for lock in _stranded(reading, selection, actors, shared):
            if lock.name not in told:
                told.add(lock.name)
                yield lock


def _records(
    reading: Reading,
    selection: Selection,
    locked: set[bytes],
    shared: dict[str, Lock],
) -> Iterator[list[Actor]]:
    """The records of the actors that have no lock with a key of the newer form."""
    own, theirs = len(ACTOR_PREFIX), key_bytes(selection.prefix)
    for keys in reading.scan(f"{ACTOR_PREFIX}*"):
        unlocked = [key for key in keys if theirs + key[own:] not in locked]
        named = [(key, actor_of_record(key_text(key))) for key in unlocked]
        wanted = [
            (key, actor)
            for key, actor in named
            if actor is not None and (actor.name in shared or selection.takes(actor))
        ]
        values = reading.get_values([key for key, _ in wanted], f"{ACTOR_PREFIX}*")
        yield [
            Actor(actor, decode_actor(value))
            for (_, actor), value in zip(wanted, values, strict=True)
            if value is not None
        ]


def _stranded(
    reading: Reading,
    selection: Selection,
    actors: list[Actor],
    shared: dict[str, Lock],
) -> Iterator[Lock]:
    """Those of the actors that are stranded. Ones with an older lock are added to it instead."""
    suspects = []
    for actor in actors:
        lock = shared.get(actor.name.name)
        if lock is not None:
            if actor.name not in [known.name for known in lock.actors]:
                actors_of_name = sorted((*lock.actors, actor), key=lambda each: str(each.name))
                shared[lock.actor] = lock._replace(actors=tuple(actors_of_name))
        elif actor.record.is_transitional:
            suspects.append(actor)
    # An operation may have begun after the locks were listed.
    keys = [key_bytes(key) for actor in suspects for key in candidate_keys(actor.name, selection)]
    each = iter(reading.exchange([("EXISTS", key) for key in keys], f"{selection.prefix}*"))
    for actor, newer, older in zip(suspects, each, each, strict=True):
        if not newer and not older:
            yield stranded(actor)


def candidate_keys(actor: ActorName, selection: Selection) -> list[str]:
    """The keys that a lock of this actor can have, with the newer form first."""
    forms = (actor, ActorName(None, actor.name))
    return [lock_key(form, selection.prefix) for form in dict.fromkeys(forms)]
