"""The way to tell a running batch, from another process of this machine, to end one of its leases.

A batch hears of that on a socket named by its pid. Only root and the batch's own user are heard,
and an answer counts only if that process gave it.
"""

import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from atectl.batch.loop import Loop

_END = b"end "
_ENDED, _UNKNOWN = b"ended", b"unknown"
_MOST_BYTES = 256
_CREDENTIALS = struct.Struct("3i")  # pid, user and group
_ANSWER_S = 5.0


class Control:
    """The batch's end, for the thread of its loop. To be closed.

    Args:
        loop: watches it.
        end: tells the lease with this id to end; whether there is one.
    """

    def __init__(self, loop: Loop, end: Callable[[str], bool]) -> None:
        self._loop = loop
        self._end = end
        self._socket = _with_credentials()
        self._socket.setblocking(False)
        # Another process may have the name, in another pid namespace: then nothing is heard.
        with suppress(OSError):
            self._socket.bind(_name_of(os.getpid()))
        loop.watch(self._socket.fileno(), self._hear)

    def close(self) -> None:
        """Hear nothing more; idempotent."""
        if self._socket.fileno() >= 0:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()

    def _hear(self) -> None:
        try:
            told, user, _, sender = _received(self._socket)
        except OSError:
            return
        if user not in (0, os.geteuid()) or not told.startswith(_END):
            return
        is_ended = self._end(told.removeprefix(_END).decode("ascii", "replace"))
        with suppress(OSError):
            self._socket.sendto(_ENDED if is_ended else _UNKNOWN, sender)


def end_in_batch(pid: int, lease: str) -> bool | None:
    """Have the batch with this pid end one of its leases.

    Returns:
        Whether it has the lease; None if the process hears no such thing, or does not answer.
    """
    with _with_credentials() as stream:
        stream.settimeout(_ANSWER_S)
        stream.bind("")  # a name of its own, to be answered at
        try:
            stream.sendto(_END + lease.encode("ascii", "replace"), _name_of(pid))
            told, _, answered_by, _ = _received(stream)
        except OSError:
            return None
    return told == _ENDED if answered_by == pid else None


def _name_of(pid: int) -> str:
    return f"\0atectl-batch-{pid}"


def _with_credentials() -> socket.socket:
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return stream


def _received(stream: socket.socket) -> tuple[bytes, int, int, str]:
    """A message, the user and the pid of its sender, and the name to answer at."""
    room = socket.CMSG_SPACE(_CREDENTIALS.size)
    told, ancillary, _, sender = stream.recvmsg(_MOST_BYTES, room)
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            pid, user, _ = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])
            return told, user, pid, sender
    raise OSError("a message without credentials")
