"""Messages between a host and its cells: JSON objects on a stream, with descriptors beside them.

A host takes nothing from a cell but this, and believes none of it: a message is bounded in size,
and whoever reads one checks each number that it uses. See `number`.
"""

import array
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

MAX_MESSAGE_BYTES = 16 << 20
"""The size of the largest message, where nobody says a smaller one. What a host reads takes up to
twenty times as much for a moment."""

_SIZE_BYTES = 4
_HEADER_BYTES = _SIZE_BYTES + 1
"""The size of the message, and how many descriptors go with it."""

_MOST_DESCRIPTORS = 8
_ANCILLARY_BYTES = socket.CMSG_SPACE(_MOST_DESCRIPTORS * array.array("i").itemsize)
_PIECE_BYTES = 65_536
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Malformed(Exception):
    """A message that no cell sends."""


class Gone(Exception):
    """The process at the other end has ended, or answers no more."""


class Message(NamedTuple):
    """What was received. The descriptors are to be closed."""

    content: dict[str, Any]
    descriptors: tuple[int, ...]


class Frames:
    """Messages out of the bytes of a stream, as they come in, with the descriptors beside them.

    Args:
        most_bytes: the size of the largest.
    """

    def __init__(self, most_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._most_bytes = most_bytes
        self._received = bytearray()
        self._descriptors = array.array("i")

    def read(self, stream: socket.socket) -> None:
        """Take in what is there, or wait until there is something if the stream waits.

        Raises:
            Gone: there is nothing and will be nothing.
            Malformed: more descriptors came than go with a message.
            BlockingIOError: there is nothing now.
        """
        try:
            piece, ancillary, _, _ = stream.recvmsg(
                _PIECE_BYTES, _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            raise
        except OSError:
            raise Gone from None
        if not piece:
            raise Gone
        self._received += piece
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                whole_bytes = len(data) // self._descriptors.itemsize * self._descriptors.itemsize
                self._descriptors.frombytes(data[:whole_bytes])
        if len(self._descriptors) > _MOST_DESCRIPTORS:
            raise Malformed("more descriptors came than go with a message")

    def take(self) -> Message | None:
        """The next message, if it is there.

        Raises:
            Malformed: what is there is none.
        """
        if len(self._received) < _HEADER_BYTES:
            return None
        ends = _HEADER_BYTES + int.from_bytes(self._received[:_SIZE_BYTES], "big")
        if ends > _HEADER_BYTES + self._most_bytes:
            raise Malformed("a message is too large")
        if len(self._received) < ends:
            return None
        try:
            content = json.loads(self._received[_HEADER_BYTES:ends].decode())
        except (ValueError, RecursionError):
            raise Malformed("a message is no JSON") from None
        if not isinstance(content, dict):
            raise Malformed("a message is no object")
        # They come with the first byte of their message, or before it.
        count = self._received[_SIZE_BYTES]
        if count > len(self._descriptors):
            raise Malformed("a message lacks its descriptors")
        descriptors, self._descriptors = tuple(self._descriptors[:count]), self._descriptors[count:]
        del self._received[:ends]
        return Message(content, descriptors)

    @property
    def has_part(self) -> bool:
        """Whether a part of a message is there, once those were taken that are whole."""
        return bool(self._received)

    def close(self) -> None:
        """Close the descriptors that came with no message."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        del self._descriptors[:]


def framed(content: dict[str, Any], descriptors: int, most_bytes: int = MAX_MESSAGE_BYTES) -> bytes:
    """A message as bytes.

    Args:
        descriptors: how many go with it.
        most_bytes: the size of the largest.

    Raises:
        Malformed: it is too large.
    """
    body = _encode(content).encode()
    if len(body) > most_bytes:
        raise Malformed("a message is too large")
    return len(body).to_bytes(_SIZE_BYTES, "big") + bytes([descriptors]) + body


class Wire:
    """One end of a stream, which waits. One thread at a time sends, and one receives.

    Args:
        stream: a connected socket, closed with this.
        most_sent_bytes: the size of the largest message that is sent.
        most_received_bytes: that of the largest that is taken.
    """

    def __init__(
        self,
        stream: socket.socket,
        *,
        most_sent_bytes: int = MAX_MESSAGE_BYTES,
        most_received_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._stream = stream
        self._most_sent_bytes = most_sent_bytes
        self._frames = Frames(most_received_bytes)

    def close(self) -> None:
        self._stream.close()
        self._frames.close()

    def wait_at_most(self, seconds: float | None) -> None:
        """How long to wait for the other end from now on; None for as long as it lives."""
        self._stream.settimeout(seconds)

    def send(self, content: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send a message.

        Raises:
            Gone: nobody receives it.
            Malformed: it is too large.
        """
        data = framed(content, len(descriptors), self._most_sent_bytes)
        try:
            sent = (
                socket.send_fds(self._stream, [data], list(descriptors))
                if descriptors
                else self._stream.send(data)
            )
            if sent < len(data):
                self._stream.sendall(memoryview(data)[sent:])
        except OSError:
            raise Gone from None

    def send_now(self, content: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send a small message if there is room for it, and else not: the rest is as in `send`.

        Raises:
            Gone: nobody receives it, or the other end has left so much unread that there is none.
        """
        with self._not_waiting():
            self.send(content, descriptors)

    def receive(self, until_s: float | None = None) -> Message:
        """Wait for a message.

        Args:
            until_s: how long for the whole of it, by `time.monotonic`; `wait_at_most` bounds only
                the time between two pieces.

        Raises:
            Gone: there will be none, or there was none in time.
            Malformed: what came is none.
        """
        while (message := self._frames.take()) is None:
            if until_s is not None and time.monotonic() >= until_s:
                raise Gone
            self._frames.read(self._stream)
        return message

    def receive_now(self) -> Message | None:
        """A message that is there, if one is; raises what `receive` does."""
        message = self._frames.take()
        if message is not None:
            return message
        try:
            with self._not_waiting():
                self._frames.read(self._stream)
        except BlockingIOError:
            return None
        return self._frames.take()

    @contextmanager
    def _not_waiting(self) -> Iterator[None]:
        """Have the stream not wait meanwhile.

        Raises:
            Gone: it is closed, which another thread may do at any moment.
        """
        waits_s = self._stream.gettimeout()
        try:
            self._stream.settimeout(0)
        except OSError:
            raise Gone from None
        try:
            yield
        finally:
            with suppress(OSError):  # who uses it next hears that it is closed
                self._stream.settimeout(waits_s)


def number(value: object, most: float) -> float:
    """A number from a message.

    Raises:
        Malformed: it is none, or not from 0 to `most`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise Malformed(f"a message has {str(value)[:40]!r} for a number up to {most}")
    return value


def whole(value: object, most: int) -> int:
    """A whole number from a message; see `number`."""
    if not isinstance(value, int):
        raise Malformed("a message has no whole number where one belongs")
    return int(number(value, most))


def text(value: object) -> str:
    """A text from a message.

    Raises:
        Malformed: it is none.
    """
    if not isinstance(value, str):
        raise Malformed("a message has no text where one belongs")
    return value


def items(value: object, length: int | None = None) -> list[Any]:
    """A list from a message, of this length if one is given.

    Raises:
        Malformed: it is none.
    """
    if not isinstance(value, list) or length not in (None, len(value)):
        raise Malformed("a message has no list where one belongs")
    return value
