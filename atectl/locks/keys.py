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
_BESIDE = "|"
"""What stands between the hash tag of a lock and its own key in the keys beside it."""

_COMPANION = re.compile(r"\{[^}]+\}(?:\|.*)?:(?:holder|fence)", re.DOTALL)
_GLOB = re.compile(r"[][*?\\^]")


class ActorName(NamedTuple):
    """An actor."""

    atespace: str | None
    """Its atespace; null where an older lock key leaves it out."""
    name: str
    """Its name, unique in its atespace."""

    def __str__(self) -> str:
        return self.name if self.atespace is None else f"{self.atespace}/{self.name}"


class OtherForms(NamedTuple):
    """The other keys that an actor's lock can have.

    Attributes:
        keys: those that are known.
        pattern: one for SCAN that matches the others; empty if there are none.
        prefix: what all of them begin with.
    """

    keys: tuple[str, ...] = ()
    pattern: str = ""
    prefix: str = DEFAULT_PREFIX


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


def other_forms(actor: ActorName, prefix: str = DEFAULT_PREFIX) -> OtherForms:
    """The other keys that the actor's lock can have: older ones leave the atespace out."""
    if actor.atespace is not None:
        return OtherForms((lock_key(ActorName(None, actor.name), prefix),), "", prefix)
    return OtherForms((), f"{glob_escaped(prefix)}*:{glob_escaped(actor.name)}", prefix)


def actor_of_lock(key: str, prefix: str = DEFAULT_PREFIX) -> ActorName | None:
    """The actor whose lock has this key; None if it is not the key of an actor's lock."""
    if not key.startswith(prefix):
        return None
    atespace, colon, name = key[len(prefix) :].rpartition(":")
    return _actor(atespace if colon else None, name)


def companion_keys(lock: str) -> CompanionKeys:
    """The keys beside a lock, in its hash slot: see `have_one_slot`."""
    tag = hash_tag(lock)
    beside = f"{{{lock}}}:" if tag is None else f"{{{tag}}}{_BESIDE}{lock}:"
    return CompanionKeys(f"{beside}holder", f"{beside}fence")


def hash_tag(key: str) -> str | None:
    """What is in the first braces of a key, if anything is. A cluster takes the slot from that."""
    _, opened, rest = key.partition("{")
    tag, closed, _ = rest.partition("}")
    return tag if opened and closed and tag else None


def have_one_slot(lock: str) -> bool:
    """Whether the keys beside a lock are in its hash slot.

    They cannot be if its key has a closing brace and yet no hash tag.
    """
    return "}" not in lock or hash_tag(lock) is not None


def is_companion(key: str) -> bool:
    """Whether a key is one beside a lock: a prefix that is a hash tag alone matches these, too."""
    return _COMPANION.fullmatch(key) is not None


def key_patterns(prefix: str) -> tuple[str, str]:
    """The patterns of the locks with a prefix, and of the keys beside them."""
    tag = hash_tag(prefix)
    beside = f"{{{prefix}" if tag is None else f"{{{tag}}}{_BESIDE}{prefix}"
    return f"{prefix}*", f"{beside}*"


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
