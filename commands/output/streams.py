"""The standard streams of the process, which others may have closed, or set not to block."""

import io
import os
import sys
from typing import Any, TextIO

_STDERR = 2

_PATIENCE_MS = 1000
"""How long a message waits for room on stderr."""


def make_steady() -> None:
    """Have something behind each standard stream, and nothing half written to any of them."""
    _fill_closed()
    for descriptor in (0, 1, 2):
        _make_blocking(descriptor)
    sys.stdout = _steady(sys.stdout, 1)
    sys.stderr = _steady(sys.stderr, _STDERR)


def flush_stdout() -> None:
    """Write what was printed before something else went wrong; an error in that is passed over."""
    try:
        sys.stdout.flush()
    except OSError:
        forget_stdout()


def forget_stdout() -> None:
    """Drop what is still buffered and can go nowhere: a flush at exit would only fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fill_closed() -> None:
    """Stand in for standard streams that are closed, so that no file of ours takes their place."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            mode = "w" if descriptor else "r"
            setattr(sys, name, open(descriptor, mode, closefd=False))  # noqa: SIM115


def _make_blocking(descriptor: int) -> None:
    """Have the system wait where a standard stream has no room or no data; for the guest, too.

    Another program may share the stream and want it as it is: a pipe or a terminal is opened anew.
    Of a socket, which cannot be, there is one end for each program as a rule.
    """
    if os.get_blocking(descriptor):
        return
    flags = (os.O_WRONLY if descriptor else os.O_RDONLY) | os.O_NONBLOCK | os.O_NOCTTY
    try:
        own = os.open(f"/proc/self/fd/{descriptor}", flags)
    except OSError:  # a socket, or a pipe that nobody reads any more
        own = descriptor
    os.set_blocking(own, True)
    if own != descriptor:
        os.dup2(own, descriptor)
        os.close(own)


class _Steady(io.RawIOBase):
    """A standard stream to write to, which writes everything or says why not.

    Python's own gives up half-way where a stream does not block, and says so only to who looks at
    the number of bytes that it returns. On stderr what cannot be written is dropped: no status and
    no result depends on it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_dropped = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        while left and not self._is_dropped:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                self._is_dropped = not self._wait()
            except OSError:
                if self._descriptor != _STDERR:
                    raise
                return size
        return size

    def _wait(self) -> bool:
        """Wait until there is room: as long as it takes, on stderr for a moment."""
        # Few streams do not block, and the others should not pay for this import.
        import select

        waiting = select.poll()
        waiting.register(self._descriptor, select.POLLOUT)
        return bool(waiting.poll(_PATIENCE_MS if self._descriptor == _STDERR else None))


def _steady(stream: TextIO, descriptor: int) -> TextIO:
    """The same stream by way of `_Steady`; what its encoding lacks is shown as a question mark."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    errors = getattr(stream, "errors", None) or "strict"
    return io.TextIOWrapper(
        io.BufferedWriter(_Steady(descriptor)),
        encoding=encoding,
        errors=errors if encoding.lower() == "utf-8" else "replace",
        line_buffering=descriptor == _STDERR or os.isatty(descriptor),
    )
