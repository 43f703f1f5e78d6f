"""Ports on loopback that nobody listens on, for servers and for nobody."""

import contextlib
import os
import random
import socket

_FIRST, _COUNT = 20_000, 12_000  # from below those that the system gives to clients
_WORKERS = 16

_given: set[int] = set()


def free_port() -> int:
    """A port nobody listens on, which no other caller of this is given.

    Each worker of pytest has ports of its own, as a server may come to listen long after its port
    was chosen.
    """
    share = _COUNT // _WORKERS
    first = _FIRST + _worker() % _WORKERS * share
    while True:
        port = random.randrange(first, first + share)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _worker() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def _is_free(port: int) -> bool:
    with socket.socket() as listener, contextlib.suppress(OSError):
        listener.bind(("127.0.0.1", port))
        return True
    return False
