"""Commands held under an actor's lock, and a resource that they write to with their fence."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingUDPServer
from typing import NamedTuple

from tests.support.processes import pid_in
from tests.support.program import ATECTL

HOLD = [ATECTL, "locks", "hold"]

WRITER = """
import os, socket, time
resource = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
place = ("127.0.0.1", {port})
line = "{{ATECTL_LOCK_FENCE}} {{ATECTL_LOCK_TOKEN}}".format(**os.environ).encode()
until = time.monotonic() + {seconds}
while time.monotonic() < until:
    resource.sendto(line, place)
    time.sleep(0.005)
"""


class Write(NamedTuple):
    """One write that came to the resource, and whether it took it."""

    at: float
    fence: int
    token: str
    is_accepted: bool


class Resource:
    """Something that many write to. It refuses whoever comes with an older fence than it knows."""

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self._newest = 0
        self._mutex = threading.Lock()
        resource = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                fence, token = self.request[0].decode().split()
                resource.write(int(fence), token)

        self._server = ThreadingUDPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def write(self, fence: int, token: str) -> None:
        with self._mutex:
            is_accepted = fence >= self._newest
            self._newest = max(self._newest, fence)
            self.writes.append(Write(time.monotonic(), fence, token, is_accepted))

    def tokens(self, fence: int) -> set[str]:
        """Those that wrote with this number."""
        return {write.token for write in self.writes if write.fence == fence}

    def writer(self, seconds: float) -> list[str]:
        """A command that writes to it for so long, every few milliseconds."""
        program = WRITER.format(port=self.port, seconds=seconds)
        return [sys.executable, "-I", "-S", "-c", program]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def holding(
    url: str, *options: str, command: list[str], actor: str = "team/web"
) -> "Iterator[subprocess.Popen[bytes]]":
    """An `atectl locks hold` that runs; killed at the end, if it still does."""
    process = start_holding(url, *options, command=command, actor=actor)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def start_holding(
    url: str, *options: str, command: list[str], actor: str = "team/web"
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*HOLD, *options, actor, "--", *command],
        env={**os.environ, "ATECTL_REDIS_URL": url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def held(
    url: str, *options: str, command: list[str], actor: str = "team/web"
) -> "subprocess.CompletedProcess[str]":
    """An `atectl locks hold` that has ended."""
    return subprocess.run(
        [*HOLD, *options, actor, "--", *command],
        env={**os.environ, "ATECTL_REDIS_URL": url},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


class Work(NamedTuple):
    """A command that goes on until it is told that it may end."""

    folder: Path

    @property
    def command(self) -> list[str]:
        return telling_pid(self.folder, f"until [ -e {self.folder}/enough ]; do sleep 0.05; done")

    def begun(self) -> int:
        """Its process number, once it has begun."""
        return pid_in(self.folder)

    def may_end(self) -> None:
        (self.folder / "enough").touch()


def telling_pid(folder: Path, then: str, *, first: str = "") -> list[str]:
    """A shell that writes its process number into the file `pid` and then does something.

    Args:
        folder: where the file is.
        then: what it does then.
        first: what it does before that, with a semicolon at its end.
    """
    return ["sh", "-c", f"{first}echo $$ > {folder}/pid; {then}"]
