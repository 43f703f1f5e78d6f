"""The host's end of a line, which never waits: what cannot be sent at once is sent later."""

import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from atectl.batch.cells.wire import MAX_MESSAGE_BYTES, Frames, Gone, Message, framed
from atectl.batch.loop import Loop


class Channel:
    """One end of a stream of messages, for the thread of a loop.

    Args:
        stream: a connected socket, closed with this.
        loop: watches it.
        hear: called when there is something to receive, or when there will be nothing more.
        most_received_bytes: the size of the largest message that is taken.
    """

    def __init__(
        self,
        stream: socket.socket,
        loop: Loop,
        hear: Callable[[], None],
        most_received_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        stream.setblocking(False)
        self._stream = stream
        self._loop = loop
        self._hear = hear
        self._frames = Frames(most_received_bytes)
        self._unsent = bytearray()
        self._is_broken = False
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
            self._loop.watch_writing(self._stream.fileno(), too=True)

    def received(self) -> Iterator[Message]:
        """The messages that are there.

        Raises:
            Gone: there are no more, and there will be none.
            Malformed: what came is none.
        """
        if self._is_broken:
            raise Gone
        try:
            self._frames.read(self._stream)
        except BlockingIOError:
            return
        while (message := self._frames.take()) is not None:
            yield message

    def close(self) -> None:
        """Idempotent."""
        if self._stream.fileno() >= 0:
            self._loop.unwatch(self._stream.fileno())
            self._stream.close()
            self._frames.close()

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
        if not self._unsent:
            self._loop.watch_writing(self._stream.fileno(), too=False)
