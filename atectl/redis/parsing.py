"""Reading answers of a server within bounds, whatever it sends.

A program that is no Redis server, or a broken one, may announce a text of gigabytes, lists within
lists without end, or a number of thousands of digits. All of these end with one error.
"""

from typing import Any

from redis._parsers import _RESP2Parser  # noqa: TID253 - the library is what this room is about
from redis.exceptions import ConnectionError, InvalidResponse  # noqa: A004, TID253
from redis.utils import SENTINEL  # noqa: TID253

MAX_TEXT_BYTES = 64 << 20
"""The longest text: a record of an actor has some kilobytes."""

MAX_ANSWER_BYTES = 256 << 20
"""The most that one answer may have in all: a thousand records are asked for at a time."""

MAX_ITEMS = 4_000_000
"""How many items one answer may have in all, those of inner lists included."""

MAX_DEPTH = 32
MAX_DIGITS = 20
"""A number of 64 bits has 20 characters."""


class BoundedParser(_RESP2Parser):
    """Parses answers in RESP2, and gives up on those past the bounds.

    Raises:
        InvalidResponse: the answer is too large, too deep, or not of the protocol.
    """

    def read_response(self, disable_decoding: bool = False, timeout: Any = SENTINEL) -> Any:
        self._bytes_left = MAX_ANSWER_BYTES
        self._items_left = MAX_ITEMS
        return super().read_response(disable_decoding, timeout)

    def _read_response(self, disable_decoding: bool = False, timeout: Any = SENTINEL) -> Any:
        return self._item(timeout, MAX_DEPTH)

    def _item(self, timeout: Any, depth: int) -> Any:
        buffer: Any = self._buffer
        raw = buffer.readline(timeout=timeout)
        if not raw:
            raise ConnectionError("Connection closed by server.")
        kind, rest = raw[:1], raw[1:]
        if kind == b"$":
            size = _number(rest)
            if size == -1:
                return None
            self._bytes_left -= size
            if not 0 <= size <= MAX_TEXT_BYTES or self._bytes_left < 0:
                raise InvalidResponse("a text that is too long")
            return buffer.read(size, timeout=timeout)
        if kind == b":":
            return _number(rest)
        if kind == b"*":
            return self._items(_number(rest), timeout, depth - 1)
        if kind == b"+":
            return rest
        if kind == b"-":
            parse: Any = self.parse_error
            error = parse(rest.decode("utf-8", errors="replace"))
            if isinstance(error, ConnectionError):
                raise error
            return error
        raise InvalidResponse("not Redis protocol")

    def _items(self, count: int, timeout: Any, depth: int) -> list[Any] | None:
        if count == -1:
            return None
        self._items_left -= count
        if count < 0 or self._items_left < 0 or depth < 0:
            raise InvalidResponse("a list that is too long or too deep")
        return [self._item(timeout, depth) for _ in range(count)]


def _number(digits: bytes) -> int:
    if len(digits) > MAX_DIGITS:
        raise InvalidResponse("a number that is too long")
    try:
        return int(digits)
    except ValueError:
        raise InvalidResponse("a number that is none") from None
