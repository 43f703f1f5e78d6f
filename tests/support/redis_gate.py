"""A gate before a Redis server: what others do there is done before a certain question arrives."""

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Self

from tests.support.redis_servers import Server

LOOK = b"EVALSHA"
"""What `locks release` sends for each look at the lock, and for its deletion."""

LISTING = b"PTTL"
"""What a listing sends, once for each batch of locks that it looks at."""


class RedisGate:
    """Passes on what a program and a server say to each other.

    Args:
        server: the server behind it.
        deeds: by the number of a question, counted from 1: what is done before the server gets it.
            The question waits, so nothing depends on how fast anybody is.
        question: what a question has in it.
    """

    def __init__(
        self,
        server: Server,
        deeds: Mapping[int, Callable[[], object]],
        question: bytes = LOOK,
    ) -> None:
        self._server = server
        self._deeds = deeds
        self._question = question
        self._count = 0
        self._mutex = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]

    @property
    def url(self) -> str:
        """Where a program finds the server through the gate."""
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def count(self) -> int:
        """How many questions there were."""
        return self._count

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        assert self._count >= max(self._deeds, default=0), f"there were {self._count} questions"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                program, _ = self._listener.accept()
                self._sockets.append(program)
                try:
                    server = socket.create_connection((self._server.host, self._server.port))
                except OSError:  # it is gone
                    program.close()
                    continue
                self._sockets.append(server)
                for source, target, is_asking in (
                    (program, server, True),
                    (server, program, False),
                ):
                    threading.Thread(
                        target=self._pass_on, args=(source, target, is_asking), daemon=True
                    ).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_asking: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                if is_asking and self._question in data:
                    self._answer_for_it()
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _answer_for_it(self) -> None:
        with self._mutex:
            self._count += 1
            deed = self._deeds.get(self._count)
        if deed is not None:
            deed()
