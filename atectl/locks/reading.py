"""Reading locks from the server with their records, a batch in one round trip."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from atectl.errors import AtectlError
from atectl.locks.actor_records import decode_actor
from atectl.locks.holder_record import parse_holder
from atectl.locks.keys import (
    ACTOR_PREFIX,
    ActorName,
    actor_key,
    actor_of_lock,
    companion_keys,
    key_bytes,
    key_patterns,
    key_text,
)
from atectl.locks.lock import Actor, Lock
from atectl.locks.verdicts import Look, Verdict
from atectl.redis.errors import RedisWrongType
from atectl.redis.reading import BATCH, Reading


class LockReader:
    """Reads locks with their holders and actors.

    Args:
        reading: reads from the server.
        prefix: what the keys of locks begin with.
        clock: seconds of a clock that nobody sets.
    """

    def __init__(self, reading: Reading, prefix: str, clock: Callable[[], float]) -> None:
        self._reading = reading
        self._prefix = prefix
        self._clock = clock
        self._server_time = reading.server_time()
        self._time_read_at = clock()

    def read(self, keys: Sequence[bytes]) -> Iterator[Lock]:
        """The locks with these keys that are still there, not judged yet.

        Raises:
            AtectlError: the server cannot be asked (exit 125).
        """
        for batch in batches(keys):
            yield from self._read_batch([key_text(key) for key in batch])

    def _read_batch(self, keys: list[str]) -> Iterator[Lock]:
        actors = [actor_of_lock(key, self._prefix) for key in keys]
        commands: list[tuple[str, bytes]] = []
        for key, actor in zip(keys, actors, strict=True):
            raw = key_bytes(key)
            commands += [("GET", raw), ("PTTL", raw)]
            if actor is not None:
                commands.append(("HGETALL", key_bytes(companion_keys(key).holder)))
        sent_at = self._clock()
        replies = iter(self._reading.exchange(commands, *key_patterns(self._prefix)))
        received_at = self._clock()
        now = None
        if self._server_time is not None:
            now = self._server_time + received_at - self._time_read_at
        records = self._records(actors)
        for key, actor in zip(keys, actors, strict=True):
            look = look_of(next(replies), next(replies), sent_at, received_at)
            holder = next(replies) if actor is not None else None
            if look is not None:
                name = actor or ActorName(None, key.removeprefix(self._prefix))
                yield _lock(key, name, look, holder, records.get(name), now)

    def _records(self, actors: Sequence[ActorName | None]) -> dict[ActorName, bytes]:
        """The records of those actors whose atespace is known."""
        keys = {
            actor: key_bytes(actor_key(actor.atespace, actor.name))
            for actor in actors
            if actor is not None and actor.atespace is not None
        }
        values = self._reading.get_values(list(keys.values()), f"{ACTOR_PREFIX}*")
        return {
            actor: value for actor, value in zip(keys, values, strict=True) if value is not None
        }


def look_of(value: Any, ttl_ms: Any, sent_at: float, received_at: float) -> Look | None:
    """A look, made of the answers to GET and PTTL; None if there is no such key, or no answer."""
    if isinstance(value, AtectlError) and not isinstance(value, RedisWrongType):
        return None
    if not isinstance(ttl_ms, int) or ttl_ms == -2 or value is None:
        return None
    token = key_text(value) if isinstance(value, bytes) else None
    return Look(token, None if ttl_ms < 0 else ttl_ms / 1000, sent_at, received_at)


def _lock(
    key: str, actor: ActorName, look: Look, holder: Any, record: bytes | None, now: float | None
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
        age_s=None if since is None or now is None else max(now - since, 0.0),
    )


def looks_at(
    reading: Reading, keys: Sequence[bytes], prefix: str, clock: Callable[[], float]
) -> list[Look | None]:
    """A look at each of these keys, all in one round trip; None where there is none, or no answer.

    Raises:
        AtectlError: the server cannot be asked (exit 125).
    """
    sent_at = clock()
    commands = [(command, key) for key in keys for command in ("GET", "PTTL")]
    replies = reading.exchange(commands, *key_patterns(prefix))
    received_at = clock()
    each = iter(replies)
    return [
        look_of(value, ttl, sent_at, received_at) for value, ttl in zip(each, each, strict=True)
    ]


def batches(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """The items in groups of as many as are asked for in one round trip."""
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
