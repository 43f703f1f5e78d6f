"""A program that takes connections as a Redis server does, and answers what it is told to."""

import contextlib
import socket
import threading
from collections.abc import Mapping
from typing import Self

STANDALONE = b"*4\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"


class FalseServer:
    """Answers each command by its name: the first of `answers` that the command contains.

    Args:
        answers: what to send, by a part of the command; `b""` fits every command.
    """

    def __init__(self, answers: Mapping[bytes, bytes]) -> None:
        self._answers = {b"HELLO": STANDALONE, b"SETINFO": b"+OK\r\n", **answers}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"redis://{self.address}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 20):
                # Each command of a batch is an array of its own.
                for command in data.split(b"\r\n*"):
                    client.sendall(self._answer(command.upper()))

    def _answer(self, command: bytes) -> bytes:
        return next(
            (answer for part, answer in self._answers.items() if part in command), b"-ERR what\r\n"
        )
