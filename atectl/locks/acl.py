"""The least that a user of the server has to be allowed, as ACL rules."""

import json
from typing import NamedTuple

from atectl.locks.audit import STREAM
from atectl.locks.keys import (
    ACTOR_PREFIX,
    DEFAULT_PREFIX,
    WORKER_PREFIX,
    glob_escaped,
    key_patterns,
)

_READING = ("scan", "get", "mget", "pttl", "hgetall", "exists", "time", "xrange")
_HOLDING = (
    *("eval", "evalsha", "get", "set", "del", "pttl", "pexpire", "incr", "hset", "hgetall"),
    *("time", "exists", "scan"),
)
_RELEASING = (*_READING, "eval", "evalsha", "type", "del", "hget", "xadd")
_CLUSTER = ("cluster|slots", "cluster|nodes")


class AclRule(NamedTuple):
    """The rules for one kind of user."""

    purpose: str
    """What the user may do: `read` (ls, show, audit), `hold` (hold, run --actor) or `release`."""
    line: str
    """The command for the server, with PASSWORD in place of the password."""


class AclRules(NamedTuple):
    """The rules for each kind of user."""

    rules: tuple[AclRule, ...]
    """The kind that may do least comes first."""


def acl_rules(prefix: str = DEFAULT_PREFIX, *, is_cluster: bool = False) -> AclRules:
    """The least that users need who read, hold or release locks.

    Args:
        prefix: what the keys of locks begin with.
        is_cluster: the users are those of a cluster, in which every node has to have them.
    """
    own = key_patterns(glob_escaped(prefix))
    others = (f"{ACTOR_PREFIX}*", f"{WORKER_PREFIX}*", STREAM)
    more = _CLUSTER if is_cluster else ()
    return AclRules(
        (
            _rule("read", (*own, *others), (*_READING, *more)),
            _rule("hold", own, (*_HOLDING, *more)),
            _rule("release", (*own, *others), (*_RELEASING, *more)),
        )
    )


def _rule(purpose: str, keys: tuple[str, ...], commands: tuple[str, ...]) -> AclRule:
    words = [
        *("ACL", "SETUSER", f"atectl-{purpose}", "reset", "on", ">PASSWORD"),
        *(f"~{pattern}" for pattern in keys),
        *(f"+{command}" for command in commands),
    ]
    return AclRule(purpose, " ".join(map(_quoted, words)))


def _quoted(word: str) -> str:
    is_plain = word.isprintable() and not set(word) & set(" \"'\\")
    return word if is_plain else json.dumps(word)
