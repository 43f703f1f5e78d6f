"""Actor locks as they stand: all of them, or all about one, with their actors, workers and holders.

A listing is a stream: a batch is looked at, judged and forgotten, so that a hundred thousand
locks need no more memory than a thousand, but for their keys.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from atectl.locks.actor_records import ActorRecord, decode_actor
from atectl.locks.heartbeat import DEFAULT_TTL_S
from atectl.locks.holder_record import HolderRecord, parse_holder
from atectl.locks.keys import (
    ACTOR_PREFIX,
    DEFAULT_PREFIX,
    ActorName,
    actor_key,
    actor_of_lock,
    actor_of_record,
    companion_keys,
    glob_escaped,
    key_bytes,
    key_text,
    lock_key,
)
from atectl.locks.verdicts import Look, Verdict, Watch, is_token, judge
from atectl.records.types import Mark
from atectl.redis.reading import BATCH, exchange, get_values, scan, server_time
from atectl.system.clock import boottime

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection


class Actor(NamedTuple):
    """An actor by its key's names, and its record."""

    name: Annotated[ActorName, Mark.INLINE]
    """Its name."""
    record: ActorRecord
    """What the systems that run actors have written of it."""


class Lock(NamedTuple):
    """One lock, or an actor left in the middle of an operation without one.

    `key` and `look` are None where there is no lock. `actor` is the name in the key, whatever it
    may be. `actors` are those that the lock can be of, as far as they have records: several, or one
    whose atespace is not certain, where the key leaves the atespace out. `holder` is the record
    kept beside the lock; `stale_holder` says that there was one of an earlier token. `age_s` is for
    how long it has been held, where that is known.
    """

    key: str | None
    actor: str
    atespace: str | None
    look: Look | None
    verdict: Verdict
    actors: tuple[Actor, ...] = ()
    holder: HolderRecord | None = None
    has_stale_holder: bool = False
    age_s: float | None = None

    @property
    def name(self) -> str:
        """How it is called: `ATESPACE/NAME`, or `NAME`."""
        return str(ActorName(self.atespace, self.actor))

    @property
    def is_idle(self) -> bool:
        """Its one actor is in no operation, and nothing else tells why the lock is held."""
        if len(self.actors) != 1 or self.holder is not None:
            return False
        record = self.actors[0].record
        return record.is_decodable and not record.is_transitional

    def judged(self, second: Look | None, lock_ttl_s: float) -> "Lock":
        """The lock with its verdict, from its look and a later one if there was one."""
        if self.look is None:
            return self
        verdict = judge(self.look, second, lock_ttl_s=lock_ttl_s, is_idle=self.is_idle)
        if second is None:
            return self._replace(verdict=verdict)
        if second.token != self.look.token:
            # What is known of the holder is known of the one before.
            return self._replace(look=second, verdict=verdict, holder=None, age_s=None)
        age_s = self.age_s
        if age_s is not None:
            age_s += second.received_at - self.look.received_at
        return self._replace(look=second, verdict=verdict, age_s=age_s)


class Selection(NamedTuple):
    """Which locks are meant.

    `pattern` is a glob, on `ATESPACE/NAME` if it has a slash and on the name alone if not.
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
        """Whether a lock whose atespace is not known may be meant."""
        pattern = (self.pattern or "*").rpartition("/")[2]
        return fnmatchcase(name, pattern)

    def takes(self, actor: ActorName) -> bool:
        """Whether a lock of this actor is meant."""
        if self.atespace not in (None, actor.atespace):
            return False
        is_whole = self.pattern is not None and "/" in self.pattern
        return fnmatchcase(str(actor) if is_whole else actor.name, self.pattern or "*")


def list_locks(
    connection: "RedisConnection",
    selection: Selection = Selection(),  # noqa: B008
    *,
    lock_ttl_s: float = DEFAULT_TTL_S,
    clock: Callable[[], float] = boottime,
    on_progress: Callable[[int], object] | None = None,
) -> Iterator[Lock]:
    """Every lock once, as they are found, then the actors that are stranded without one.

    Locks whose key leaves the atespace out come last, with every actor of the name.

    Args:
        connection: where to look: on every primary.
        selection: which locks are meant.
        lock_ttl_s: the TTL that holders give their locks, in seconds.
        clock: seconds of a clock that nothing sets.
        on_progress: told now and then how many locks were looked at.

    Raises:
        AtectlError: the server cannot be asked (exit 125).
    """
    reader = LockReader(connection, selection.prefix, clock)
    seen: set[bytes] = set()
    shared: dict[str, Lock] = {}
    for keys in scan(connection, glob_escaped(selection.prefix) + "*"):
        fresh = [key for key in dict.fromkeys(keys) if key not in seen]
        seen.update(fresh)
        wanted = fresh if selection.is_of_all else [k for k in fresh if _is_meant(k, selection)]
        for lock in reader.read(wanted):
            if lock.atespace is None:
                shared[lock.actor] = lock
            else:
                yield lock.judged(None, lock_ttl_s)
        if on_progress is not None:
            on_progress(len(seen))
    told: set[str] = set()
    for actors in _records(connection, selection, seen, shared):
        for lock in _stranded(connection, selection, actors, shared):
            if lock.name not in told:
                told.add(lock.name)
                yield lock
    for lock in shared.values():
        if selection.is_of_any_atespace or any(selection.takes(x.name) for x in lock.actors):
            yield lock.judged(None, lock_ttl_s)


def look_again(
    connection: "RedisConnection",
    locks: Sequence[Lock],
    *,
    lock_ttl_s: float = DEFAULT_TTL_S,
    clock: Callable[[], float] = boottime,
) -> Iterator[Lock]:
    """The locks that are still there, judged by this look and the earlier one, in their order.

    Raises:
        AtectlError: the server cannot be asked (exit 125).
    """
    for batch in _batches(locks):
        keys = [key_bytes(lock.key) for lock in batch if lock.key is not None]
        looks = dict(zip(keys, _looks(connection, keys, clock), strict=True))
        for lock in batch:
            second = None if lock.key is None else looks[key_bytes(lock.key)]
            if lock.key is None or second is not None:
                yield lock.judged(second, lock_ttl_s)


def list_watched(connection: "RedisConnection", selection: Selection, watch: Watch) -> list[Lock]:
    """The locks that are there now, each judged by every look that `watch` has seen of it.

    Raises:
        AtectlError: the server cannot be asked (exit 125).
    """
    locks = []
    for lock in list_locks(connection, selection):
        if lock.key is not None and lock.look is not None:
            verdict = watch.judge(lock.key, lock.look, is_idle=lock.is_idle)
            lock = lock._replace(verdict=verdict)
        locks.append(lock)
    watch.keep({lock.key for lock in locks if lock.key is not None})
    return locks


class LockReader:
    """Fetches locks with what belongs to them, a batch in one exchange."""

    def __init__(
        self, connection: "RedisConnection", prefix: str, clock: Callable[[], float]
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._clock = clock
        self._server_time = server_time(connection)
        self._time_read_at = clock()

    def read(self, keys: Sequence[bytes]) -> Iterator[Lock]:
        """The locks of these keys that are still there, held as far as is known."""
        for batch in _batches(keys):
            yield from self._read_batch([key_text(key) for key in batch])

    def _read_batch(self, keys: list[str]) -> Iterator[Lock]:
        actors = [actor_of_lock(key, self._prefix) for key in keys]
        commands: list[tuple[str, bytes]] = []
        for key, actor in zip(keys, actors, strict=True):
            raw = key_bytes(key)
            commands += [("GET", raw), ("PTTL", raw)]
            if actor is not None:
                commands.append(("HGETALL", companion_keys(key).holder.encode()))
        sent_at = self._clock()
        replies = iter(exchange(self._connection, commands))
        received_at = self._clock()
        now = self._server_time + received_at - self._time_read_at
        records = self._records(actors)
        for key, actor in zip(keys, actors, strict=True):
            look = look_of(next(replies), next(replies), sent_at, received_at)
            holder = next(replies) if actor is not None else None
            if look is not None:
                name = actor or ActorName(None, key.removeprefix(self._prefix))
                yield _lock(key, name, look, holder, records.get(name), now)

    def _records(self, actors: Sequence[ActorName | None]) -> dict[ActorName, bytes]:
        """The records of the actors whose atespaces are known."""
        keys = {
            actor: actor_key(actor.atespace, actor.name).encode()
            for actor in actors
            if actor is not None and actor.atespace is not None
        }
        values = get_values(self._connection, list(keys.values()))
        return {
            actor: value for actor, value in zip(keys, values, strict=True) if value is not None
        }


def look_of(value: Any, ttl_ms: Any, sent_at: float, received_at: float) -> Look | None:
    """A look from the answers to GET and PTTL; None if there is no such key."""
    if not isinstance(ttl_ms, int) or ttl_ms == -2 or value is None:
        return None
    token = key_text(value) if isinstance(value, bytes) else None
    return Look(token, None if ttl_ms < 0 else ttl_ms / 1000, sent_at, received_at)


def _lock(
    key: str, actor: ActorName, look: Look, holder: Any, record: bytes | None, now: float
) -> Lock:
    known = parse_holder(holder) if isinstance(holder, dict) else None
    is_own = known is not None and known.token == look.token
    since = known.since if known is not None and is_own else None
    return Lock(
        key=key,
        actor=actor.name,
        atespace=actor.atespace,
        look=look,
        verdict=Verdict.HELD,
        actors=() if record is None else (Actor(actor, decode_actor(record)),),
        holder=known if is_own else None,
        has_stale_holder=known is not None and not is_own,
        age_s=None if since is None else max(now - since, 0.0),
    )


def _is_meant(key: bytes, selection: Selection) -> bool:
    text = key_text(key)
    actor = actor_of_lock(text, selection.prefix)
    if actor is None or actor.atespace is None:
        # Which atespaces an older key stands for is known only when the actors are.
        name = text.removeprefix(selection.prefix) if actor is None else actor.name
        return selection.takes_name(name)
    return selection.takes(actor)


def _records(
    connection: "RedisConnection",
    selection: Selection,
    locked: set[bytes],
    shared: dict[str, Lock],
) -> Iterator[list[Actor]]:
    """The records of actors that have no lock of their own."""
    own, theirs = len(ACTOR_PREFIX), selection.prefix.encode()
    for keys in scan(connection, f"{ACTOR_PREFIX}*"):
        unlocked = [key for key in keys if theirs + key[own:] not in locked]
        named = [(key, actor_of_record(key_text(key))) for key in unlocked]
        wanted = [
            (key, actor)
            for key, actor in named
            if actor is not None and (actor.name in shared or selection.takes(actor))
        ]
        values = get_values(connection, [key for key, _ in wanted])
        yield [
            Actor(actor, decode_actor(value))
            for (_, actor), value in zip(wanted, values, strict=True)
            if value is not None
        ]


def _stranded(
    connection: "RedisConnection",
    selection: Selection,
    actors: list[Actor],
    shared: dict[str, Lock],
) -> Iterator[Lock]:
    """The actors that are stranded. Those that share an older lock are noted with it instead."""
    suspects = []
    for actor in actors:
        lock = shared.get(actor.name.name)
        if lock is not None:
            if actor.name not in [known.name for known in lock.actors]:
                actors_of_name = sorted((*lock.actors, actor), key=lambda each: str(each.name))
                shared[lock.actor] = lock._replace(actors=tuple(actors_of_name))
        elif actor.record.is_transitional:
            suspects.append(actor)
    # An operation may have begun since the locks were listed.
    keys = [key.encode() for actor in suspects for key in candidate_keys(actor.name, selection)]
    each = iter(exchange(connection, [("EXISTS", key) for key in keys]))
    for actor, newer, older in zip(suspects, each, each, strict=True):
        if not newer and not older:
            yield stranded(actor)


def candidate_keys(actor: ActorName, selection: Selection) -> list[str]:
    """The keys that a lock of this actor can have, the newer form first."""
    forms = (actor, ActorName(None, actor.name))
    return [lock_key(form, selection.prefix) for form in dict.fromkeys(forms)]


def stranded(actor: Actor) -> Lock:
    """An actor that is left in the middle of an operation, listed as the lock it lacks."""
    name = actor.name
    return Lock(None, name.name, name.atespace, None, Verdict.STRANDED, (actor,))


def _looks(
    connection: "RedisConnection", keys: Sequence[bytes], clock: Callable[[], float]
) -> list[Look | None]:
    sent_at = clock()
    replies = exchange(connection, [(command, key) for key in keys for command in ("GET", "PTTL")])
    received_at = clock()
    each = iter(replies)
    return [
        look_of(value, ttl, sent_at, received_at) for value, ttl in zip(each, each, strict=True)
    ]


def warnings_of(lock: Lock) -> list[str]:
    """What an operator should know about a lock, as words that `locks show` explains."""
    if lock.look is None:
        return []
    found = {
        "no-ttl": lock.look.ttl_s is None,
        "foreign-token": lock.look.token is None or not is_token(lock.look.token),
        "unfenced": lock.holder is None,
        "stale-holder-record": lock.has_stale_holder,
        "shared-name": lock.atespace is None and len(lock.actors) > 1,
        "undecodable-actor": any(not actor.record.is_decodable for actor in lock.actors),
    }
    return [word for word, holds in found.items() if holds]


def _batches(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
