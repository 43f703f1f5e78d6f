"""Reading many keys of a place in few round trips, and as many of them as can be read.

In an outage some servers answer and others do not, and a user may have access to some keys and not
to others. So a reading goes on, and tells in the end what it has left out.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from atectl.errors import AtectlError
from atectl.records.types import Mark
from atectl.redis.errors import (
    RedisClusterDown,
    RedisPermissionDenied,
    RedisRefused,
    RedisWrongType,
)

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection
    from atectl.redis.routing import Server

BATCH = 1000
"""How many keys are asked for in one round trip."""

Command = tuple[str, bytes]


class Gap(NamedTuple):
    """Something that could not be read."""

    node: str | None
    """The server that could not be asked; null where none has the slots, all would refuse, or
    something else than a server could not be read."""
    slots: tuple[str, ...]
    """The slots that are missing with it, as `0-5460`; empty outside a cluster, or for keys."""
    keys: Annotated[str, Mark.EMPTY_IS_UNKNOWN]
    """The keys that are missing, as a pattern; null where all keys of the node are."""
    code: str
    """The code of the error."""
    message: str
    """What went wrong."""

    @classmethod
    def of(cls, error: AtectlError) -> "Gap":
        """What is missing because of an error, if nothing more is known of it."""
        return cls(None, (), "", error.code, str(error))


class Reading:
    """One reading of a place.

    Args:
        connection: where to read.
    """

    def __init__(self, connection: "RedisConnection") -> None:
        self._connection = connection
        self._gaps: dict[tuple[str | None, str], Gap] = {}
        self._failed: dict[Server, AtectlError] = {}

    @property
    def incomplete(self) -> tuple[Gap, ...]:
        """What could not be read so far."""
        return tuple(self._gaps.values())

    def exchange(self, commands: Sequence[Command], *patterns: str) -> list[Any]:
        """The answers to commands of one key each, sent in one round trip.

        The answer is a RedisWrongType if the key has a value of another type, and any AtectlError
        if there is no answer: `is_told` tells answers from these. What has no answer is noted as a
        gap.

        Args:
            commands: the name of each, and its key.
            patterns: those of these keys, for what may not be read; they end with `*`.

        Raises:
            AtectlError: it is a single server, which cannot be asked (exit 125).
        """
        found: list[Any] = [None] * len(commands)
        places = list(range(len(commands)))
        if self._failed:
            # A server that hangs would hold up every batch.
            places = [place for place in places if not self._is_lost(commands[place], place, found)]
        answers = self._connection.client.answers([commands[place] for place in places])
        for place, answer in zip(places, answers, strict=True):
            found[place] = answer
            if isinstance(answer, AtectlError) and not isinstance(answer, RedisWrongType):
                self._note(answer, commands[place][1], patterns)
        return found

    def get_values(self, keys: Sequence[bytes], pattern: str) -> list[bytes | None]:
        """The values of these keys. None: there is no such key, or its value is not a string.

        Raises:
            AtectlError: it is a single server, which cannot be asked (exit 125).
        """
        if not keys:
            return []
        if self._connection.kind != "cluster":
            # One MGET takes half the time of as many GETs.
            [answer] = self._connection.client.answers([("MGET", *keys)])
            if isinstance(answer, list) and len(answer) == len(keys):
                return answer
        answers = self.exchange([("GET", key) for key in keys], pattern)
        return [answer if isinstance(answer, bytes) else None for answer in answers]

    def scan_keys(self, pattern: str) -> Iterator[bytes]:
        """Every key on every primary that matches a pattern, each once.

        Raises:
            AtectlError: no server can be asked (exit 125).
        """
        seen: set[bytes] = set()
        for keys in self.scan(pattern):
            for key in keys:
                if key not in seen:
                    seen.add(key)
                    yield key

    def scan(self, pattern: str) -> Iterator[list[bytes]]:
        """The keys on every primary that match a pattern, in batches. A key may come twice.

        Raises:
            AtectlError: no server can be asked (exit 125).
        """
        waiting = self._connection.primaries()
        scanned: set[Server] = set()
        while waiting:
            server = waiting.pop(0)
            if server in self._failed or server in scanned:
                continue
            scanned.add(server)
            error = yield from self._scan_one(server, pattern)
            if error is not None:
                waiting = self._without(server, error)
        if self._failed and not scanned - self._failed.keys():
            raise next(iter(self._failed.values()))
        if uncovered := self._connection.uncovered():
            message = "no node of the cluster has these slots"
            self._gaps[None, ""] = Gap(None, uncovered, "", RedisClusterDown.code, message)

    def server_time(self) -> float | None:
        """The time by the clock of a primary, in seconds since 1970; None if none tells."""
        for server in self._connection.primaries():
            try:
                seconds, microseconds = self._connection.client.ask(server, "TIME")
            except (RedisPermissionDenied, RedisRefused):
                continue
            except AtectlError as error:
                self._without(server, error)
            else:
                return float(seconds + microseconds / 1e6)
        return None

    def _scan_one(
        self, server: "Server", pattern: str
    ) -> Generator[list[bytes], None, AtectlError | None]:
        """The keys on one server, in batches. Returns what kept it from telling all of them."""
        cursor = -1
        while cursor != 0:
            words = ("SCAN", max(cursor, 0), "MATCH", pattern, "COUNT", BATCH)
            try:
                cursor, keys = self._connection.client.ask(server, *words)
            except AtectlError as error:
                return error
            yield [key for key in keys if isinstance(key, bytes)]
        return None

    def _without(self, server: "Server", error: AtectlError) -> "list[Server]":
        """The primaries that there are now, after one of them has failed.

        Raises:
            AtectlError: there is no other, as it is a single server (exit 125).
        """
        with suppress(AtectlError):
            self._connection.look_anew()
        primaries = self._connection.primaries()
        if server in primaries:  # no replica has taken its place
            self._lose(server, error)
            if self._connection.kind != "cluster":
                raise error
        return primaries

    def _is_lost(self, command: Command, place: int, found: list[Any]) -> bool:
        """Whether a command belongs to a server that has failed: that is its answer then."""
        server = self._connection.server_of(command[1])
        if server is None or server not in self._failed:
            return False
        found[place] = self._failed[server]
        return True

    def _note(self, error: AtectlError, key: bytes, patterns: Sequence[str]) -> None:
        if isinstance(error, RedisPermissionDenied):
            fits = (each for each in patterns if key.startswith(_beginning(each)))
            keys = next(fits, key.decode("utf-8", "replace"))
            message = f"{error}; the user may not read {keys}"
            self._gaps.setdefault((None, keys), Gap(None, (), keys, error.code, message))
            return
        server = self._connection.server_of(key)
        if server is not None:
            self._lose(server, error)
        if self._connection.kind != "cluster":
            raise error

    def _lose(self, server: "Server", error: AtectlError) -> None:
        if server not in self._failed:
            self._failed[server] = error
            node, slots = str(server.address), self._connection.slots_of(server)
            self._gaps[node, ""] = Gap(node, slots, "", error.code, str(error))


def _beginning(pattern: str) -> bytes:
    """What the keys of a pattern begin with."""
    return pattern.removesuffix("*").encode("utf-8", "surrogateescape")
