"""Many commands to one server, sent in one go."""

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ConnectionError, MovedError, ResponseError  # noqa: A004, TID253

from atectl.redis.faults import FOREIGN, translation
from atectl.redis.routing import Router, Server, target_of


class Batch:
    """Commands of one key each for one server, with the places that their answers belong to.

    Attributes:
        server: where they are sent.
        fault: what kept them from being sent or answered.
    """

    def __init__(self, router: Router, server: Server) -> None:
        self.server = server
        self.fault: Exception | None = None
        self._router = router
        self._places: list[int] = []
        self._commands: list[tuple[Any, ...]] = []
        self._connection: Any = None

    def add(self, place: int, command: tuple[Any, ...]) -> None:
        self._places.append(place)
        self._commands.append(command)

    def send(self) -> None:
        """Send all of them, without waiting for an answer."""
        try:
            self._connection = self.server.client.connection_pool.get_connection()
            self._connection.send_packed_command([packed(self._commands)])
        except FOREIGN as fault:
            self._break_off(fault)

    def receive(self, found: list[Any]) -> list[int]:
        """Put the answers in their places. Returns the places that have to be asked for again.

        In place of an answer that could not be had stands an AtectlError.
        """
        again: list[int] = []
        answered = 0
        try:
            if self.fault is None:
                for place, command in zip(self._places, self._commands, strict=True):
                    found[place] = self._answer(command, place, again)
                    answered += 1
        except FOREIGN as fault:
            self._break_off(fault)
        finally:
            self._give_back()
        if self.fault is not None:
            left = self._places[answered:]
            failure = translation(self.fault, self.server.route)
            for place in left:
                found[place] = failure
            if isinstance(self.fault, ConnectionError):
                again += left
        return again

    def _answer(self, command: tuple[Any, ...], place: int, again: list[int]) -> Any:
        try:
            client: Any = self.server.client
            return client.parse_response(self._connection, command[0])
        except MovedError as moved:
            self._router.moved(moved.slot_id, target_of(moved, self.server))
            again.append(place)
            return translation(moved, self.server.route)
        except ResponseError as fault:
            return translation(fault, self.server.route)

    def _break_off(self, fault: Exception) -> None:
        self.fault = fault
        if self._connection is not None:
            # What was sent may still be answered, and the answers belong to nobody.
            self._connection.disconnect()

    def _give_back(self) -> None:
        if self._connection is not None:
            self.server.client.connection_pool.release(self._connection)
            self._connection = None


def packed(commands: Sequence[tuple[Any, ...]]) -> bytes:
    """Commands in the protocol of Redis: what redis-py makes of them, in a third of the time."""
    parts: list[bytes] = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        for word in command:
            text = word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape")
            parts.append(b"$%d\r\n%b\r\n" % (len(text), text))
    return b"".join(parts)
