"""The keys of actor locks, actors and workers in Redis.

Names and atespaces are DNS-1123 labels, so a key can be split at its colons. An older form of a
lock's key leaves the atespace out: there, all actors of a name share one lock.
"""

import re
from typing import NamedTuple

from atectl.locks.errors import BadActor

DEFAULT_PREFIX = "lock:actor:"
ACTOR_PREFIX = "actor:"
WORKER_PREFIX = "worker:"

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_GLOB = re.compile(r"[][*?\\^]")


class ActorName(NamedTuple):
    """An actor."""

    atespace: str | None
    """Its atespace; null where an older lock key leaves it out."""
    name: str
    """Its name, unique in its atespace."""

    def __str__(self) -> str:
        return self.name if self.atespace is None else f"{self.atespace}/{self.name}"


class CompanionKeys(NamedTuple):
    """The keys that atectl keeps beside a lock it holds, in the same hash slot."""

    holder: str
    fence: str


def parse_actor(text: str, prefix: str = DEFAULT_PREFIX) -> ActorName:
    """The actor named by `ATESPACE/NAME`, `NAME` or the whole key of its lock.

    Raises:
        BadActor: `text` is none of these, or a part is not a DNS-1123 label (exit 2).
    """
    actor = actor_of_lock(text, prefix)
    if actor is None:
        atespace, slash, name = text.rpartition("/")
        actor = _actor(atespace if slash else None, name)
    if actor is None:
        raise BadActor(f"{text!r} is no actor")
    return actor


def lock_key(actor: ActorName, prefix: str = DEFAULT_PREFIX) -> str:
    """The key of the actor's lock, in the older form if the atespace is not known."""
    return prefix + ":".join(part for part in actor if part is not None)


def actor_of_lock(key: str, prefix: str = DEFAULT_PREFIX) -> ActorName | None:
    """The actor whose lock has this key; None if it is not the key of an actor's lock."""
    if not key.startswith(prefix):
        return None
    atespace, colon, name = key[len(prefix) :].rpartition(":")
    return _actor(atespace if colon else None, name)


def companion_keys(lock: str) -> CompanionKeys:
    """The keys beside a lock. They have its hash slot, unless its own key contains braces."""
    return CompanionKeys(f"{{{lock}}}:holder", f"{{{lock}}}:fence")


def actor_key(atespace: str, name: str) -> str:
    """The key of an actor's record."""
    return f"{ACTOR_PREFIX}{atespace}:{name}"


def actor_of_record(key: str) -> ActorName | None:
    """The actor whose record has this key; None if it is not the key of an actor's record."""
    if not key.startswith(ACTOR_PREFIX):
        return None
    atespace, _, name = key[len(ACTOR_PREFIX) :].rpartition(":")
    return _actor(atespace, name)


def worker_keys(namespace: str, pool: str, pod: str, pod_uid: str) -> list[str]:
    """The keys that a worker's record can have, with the newer form first.

    A key for which a part is missing (empty) is left out.
    """
    keys = [f"{WORKER_PREFIX}{pod_uid}"] if pod_uid else []
    if namespace and pool and pod:
        keys.append(f"{WORKER_PREFIX}{namespace}:{pool}:{pod}")
    return keys


def glob_escaped(text: str) -> str:
    """A pattern for SCAN that matches this text only."""
    return _GLOB.sub(r"\\\g<0>", text)


def key_text(key: bytes) -> str:
    """A key as text. Bytes that are not UTF-8 are kept, so that `key_bytes` can restore them."""
    return key.decode("utf-8", "surrogateescape")


def key_bytes(key: str) -> bytes:
    """The bytes of a key that `key_text` turned into text."""
    return key.encode("utf-8", "surrogateescape")


def _actor(atespace: str | None, name: str) -> ActorName | None:
    is_valid = all(_LABEL.fullmatch(part) for part in (atespace, name) if part is not None)
    return ActorName(atespace, name) if is_valid else None
