"""The standard streams of the process, which others may have closed, or set not to block."""

import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # Importing `typing` for these names would take longer than `--version` does.
    from collections.abc import Callable
    from typing import Any, TextIO

_STDERR = 2

_PATIENCE_MS = 1000
"""How long a message waits for room on a stderr that was set not to block."""

_PIECE_BYTES = 4096
"""What a pipe takes at once if it has any room (PIPE_BUF)."""


def make_steady() -> None:
    """Open the standard streams that are closed, and write the others whole.

    After this, a stream that others had set not to block waits for room and for data. A message
    on such a stderr waits only for a moment, as there may be nobody who reads it.
    """
    _fill_closed()
    was_blocking = [_make_blocking(descriptor) for descriptor in (0, 1, _STDERR)]
    sys.stdout = _steady(sys.stdout, 1, patience_ms=None)
    sys.stderr = _steady(
        sys.stderr, _STDERR, patience_ms=None if was_blocking[_STDERR] else _PATIENCE_MS
    )


def patient_stderr() -> "Callable[[bytes], int] | None":
    """How to write to stderr where writing directly could wait for ever, else None.

    That is where stderr was set not to block, by a program that may never read it. A terminal is
    always read.
    """
    raw = getattr(getattr(sys.stderr, "buffer", None), "raw", None)
    if isinstance(raw, _Steady) and raw.has_limit and not raw.isatty():
        return raw.write
    return None


def lead_past(to: int, descriptor: int) -> None:
    """Have what this process prints go to `to`, and not to `descriptor`, which is stdout (1) or
    stderr (2). What is written there goes nowhere: a guest that was given up may write on."""
    stream = sys.stderr if descriptor == _STDERR else sys.stdout
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if not isinstance(raw, _Steady):
        os.dup2(to, descriptor)
        return
    raw.lead_to(to)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def flush_stdout() -> None:
    """Write what was printed before something went wrong. If that fails too, drop it."""
    try:
        sys.stdout.flush()
    except OSError:
        forget_stdout()


def forget_stdout() -> None:
    """Drop what is still buffered for a stdout that cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fill_closed() -> None:
    """Open closed standard streams to /dev/null.

    Otherwise the next file that is opened would get the number of such a stream.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            mode = "w" if descriptor else "r"
            setattr(sys, name, open(descriptor, mode, closefd=False))  # noqa: SIM115


def _make_blocking(descriptor: int) -> bool:
    """Have reads and writes wait for data and for room, for atectl and for the guest.

    Other programs may share the stream and need it as it is. So a pipe or a terminal is opened
    anew. A socket cannot be opened anew, but is rarely shared.

    Returns:
        Whether it did so before.
    """
    if os.get_blocking(descriptor):
        return True
    flags = (os.O_WRONLY if descriptor else os.O_RDONLY) | os.O_NONBLOCK | os.O_NOCTTY
    try:
        own = os.open(f"/proc/self/fd/{descriptor}", flags)
    except OSError:  # a socket, or a pipe that nobody reads any more
        own = descriptor
    os.set_blocking(own, True)
    if own != descriptor:
        os.dup2(own, descriptor)
        os.close(own)
    return False


class _Steady(io.RawIOBase):
    """A standard stream to write to: it writes everything, or raises an error.

    Python's own writes a part where a stream does not block, and its callers pass over that.
    On stderr no error is raised: what cannot be written is dropped, because no status and no
    result may depend on it.

    Args:
        descriptor: of the stream.
        patience_ms: how long to wait for room before data is dropped; None for no limit.
    """

    def __init__(self, descriptor: int, patience_ms: int | None) -> None:
        self._descriptor = descriptor
        self._is_stderr = descriptor == _STDERR
        self._patience_ms = patience_ms

    def lead_to(self, descriptor: int) -> None:
        """Write there from now on."""
        self._descriptor = descriptor

    @property
    def has_limit(self) -> bool:
        """Whether it waits only for some time."""
        return self._patience_ms is not None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: "Any") -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            if self._patience_ms is not None and not self._wait():
                break
            # The stream blocks: where time is limited, write no more than there is room for.
            piece = left if self._patience_ms is None else left[:_PIECE_BYTES]
            try:
                left = left[os.write(self._descriptor, piece) :]
            except BlockingIOError:  # another program has just set it not to block
                self._wait()
            except OSError:
                if not self._is_stderr:
                    raise
                break
        return size

    def _wait(self) -> bool:
        """Wait until there is room. Returns False if there was none in time."""
        # Few streams do not block, and the others should not pay for this import.
        import select

        waiting = select.poll()
        waiting.register(self._descriptor, select.POLLOUT)
        if waiting.poll(self._patience_ms):
            return True
        self._patience_ms = 0  # further messages do not wait for who reads nothing
        return False


def _steady(stream: "TextIO", descriptor: int, patience_ms: int | None) -> "TextIO":
    """The same stream, written by `_Steady`.

    A character that its encoding does not have is written as a question mark.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    errors = getattr(stream, "errors", None) or "strict"
    return io.TextIOWrapper(
        io.BufferedWriter(_Steady(descriptor, patience_ms)),
        encoding=encoding,
        errors=errors if encoding.lower() == "utf-8" else "replace",
        line_buffering=descriptor == _STDERR or os.isatty(descriptor),
    )
