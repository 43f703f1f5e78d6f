"""The host's end of a line, which never waits: what cannot be sent at once is sent later."""

import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from atectl.batch.cells.wire import Frames, Gone, Message, framed
from atectl.batch.loop import Loop


class LongMessages:
    """The messages that do not come in one piece: of all lines of a cell, one is taken at a time.

    So however many lines a cell has, what a host holds of their unfinished messages is little more
    than one of the largest.
    """

    def __init__(self) -> None:
        self._taker: Channel | None = None
        self._waiting: deque[Channel] = deque()

    def may_go_on(self, channel: "Channel") -> bool:
        """Whether a line may take more of its message now; else it is told once it may."""
        if self._taker is None:
            self._taker = channel
        elif self._taker is not channel:
            self._waiting.append(channel)
        return self._taker is channel

    def done(self, channel: "Channel") -> None:
        """A line has all of its message, or takes no more of it; no effect if it took none."""
        if self._taker is not channel:
            if channel in self._waiting:
                self._waiting.remove(channel)
            return
        self._taker = self._waiting.popleft() if self._waiting else None
        if self._taker is not None:
            self._taker.go_on()


class Channel:
    """One end of a stream of messages, for the thread of a loop.

    Args:
        stream: a connected socket, closed with this.
        loop: watches it.
        hear: called when there is something to receive, or when there will be nothing more.
        most_received_bytes: the size of the largest message that is taken.
        long_messages: those of the other end, shared by its lines.
    """

    def __init__(
        self,
        stream: socket.socket,
        loop: Loop,
        hear: Callable[[], None],
        most_received_bytes: int,
        long_messages: LongMessages,
    ) -> None:
        stream.setblocking(False)
        self._stream = stream
        self._loop = loop
        self._hear = hear
        self._frames = Frames(most_received_bytes)
        self._unsent = bytearray()
        self._is_broken = False
        self._long_messages = long_messages
        self._is_waiting = False  # for those of other lines
        loop.watch(stream.fileno(), self._ready)

    def send(self, content: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send a message. If nobody can receive it, that is heard soon.

        Raises:
            Malformed: it is too large.
        """
        data = framed(content, len(descriptors))
        if self._unsent and not descriptors:
            self._unsent += data
            return
        try:
            if descriptors:
                # The other end waits for them, and has read all that went before.
                sent = socket.send_fds(self._stream, [data], list(descriptors))
            else:
                sent = self._stream.send(data)
        except BlockingIOError:
            sent = 0
            self._is_broken |= bool(descriptors)
        except OSError:
            self._is_broken = True
        if self._is_broken:
            self._loop.post(self._hear)
        elif sent < len(data):
            self._unsent += data[sent:]
            self._watch_writing()

    def received(self) -> Iterator[Message]:
        """The messages that are there.

        Raises:
            Gone: there are no more, and there will be none.
            Malformed: what came is none.
        """
        if self._is_broken:
            raise Gone
        goes_on = self._frames.has_part
        if goes_on and not self._long_messages.may_go_on(self):
            self._is_waiting = True
            self._loop.unwatch(self._stream.fileno())
            return
        try:
            self._frames.read(self._stream)
        except BlockingIOError:
            return
        while (message := self._frames.take()) is not None:
            yield message
        if goes_on and not self._frames.has_part:
            self._long_messages.done(self)

    def go_on(self) -> None:
        """Take more of a long message, now that those of other lines are whole."""
        self._is_waiting = False
        self._loop.watch(self._stream.fileno(), self._ready)
        self._watch_writing()

    def close(self) -> None:
        """Idempotent."""
        if self._stream.fileno() >= 0:
            self._loop.unwatch(self._stream.fileno())
            self._stream.close()
            self._frames.close()
            self._long_messages.done(self)

    @property
    def is_closed(self) -> bool:
        return self._stream.fileno() < 0

    def _ready(self) -> None:
        if self._unsent:
            self._send_rest()
        self._hear()

    def _send_rest(self) -> None:
        try:
            sent = self._stream.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            self._is_broken = True
            return
        del self._unsent[:sent]
        self._watch_writing()

    def _watch_writing(self) -> None:
        if not self._is_waiting:
            self._loop.watch_writing(self._stream.fileno(), too=bool(self._unsent))
