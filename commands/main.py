"""The program: choose the command, turn every error into one message and one exit status."""

import errno
import io
import os
import sys
from typing import Any, NoReturn, TextIO

from atectl.errors import (
    BROKEN_PIPE_STATUS,
    INTERRUPTED_STATUS,
    AtectlError,
    InternalError,
    OutputUnwritable,
)


def main() -> NoReturn:
    """The `atectl` program."""
    _fill_closed_streams()
    for descriptor in (0, 1, 2):
        _make_blocking(descriptor)
    sys.stdout = _steady(sys.stdout, 1)
    sys.stderr = _steady(sys.stderr, 2)
    status = dispatch(sys.argv[1:])
    # A guest left asleep in a host call cannot be joined, and there is nothing left to tidy:
    # leaving without the interpreter's own farewell also spares a warm start six percent.
    os._exit(status)


def dispatch(arguments: list[str]) -> int:
    """Run one command line; the exit status. Never raises."""
    try:
        status = _choose(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        _forget_stdout()
        return BROKEN_PIPE_STATUS
    except KeyboardInterrupt:
        _flush_stdout()
        return INTERRUPTED_STATUS
    except SystemExit:  # which is how Rich says that the pipe is broken
        return BROKEN_PIPE_STATUS
    except AtectlError as error:
        _flush_stdout()
        return _reported(error)
    except Exception as error:
        if _is_of_stdout(error):
            _forget_stdout()
            return _reported(OutputUnwritable(f"standard output cannot be written: {error}"))
        if os.environ.get("ATECTL_DEBUG"):
            raise
        return _reported(InternalError(f"{type(error).__name__}: {error}"))


def _reported(error: AtectlError) -> int:
    """Print an error; its exit status."""
    # Most command lines end without an error, and need no import for it.
    from .output.stderr import report_error

    report_error(error)
    return error.exit_status


def _choose(arguments: list[str]) -> int:
    if arguments[:1] in (["run"], ["batch"]):
        # Past Typer, whose import would cost a third of a warm start: see option_table.
        from .options.table import HelpWanted

        try:
            if arguments[0] == "run":
                from .run.running import run

                return run(arguments[1:])
            from .batch.running import batch

            return batch(arguments[1:])
        except HelpWanted:
            arguments = [arguments[0], "--help"]
    from .app import invoke

    return invoke(arguments)


def _fill_closed_streams() -> None:
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


_STDERR, _PATIENCE_MS = 2, 1000


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


def _is_of_stdout(error: Exception) -> bool:
    # What fails to be written names no file; everything of ours that opens one does.
    return (
        isinstance(error, OSError)
        and error.filename is None
        and error.errno in (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT)
    )


def _flush_stdout() -> None:
    """Write what was printed before something else went wrong, which alone is told of."""
    try:
        sys.stdout.flush()
    except OSError:
        _forget_stdout()


def _forget_stdout() -> None:
    # What is still buffered can go nowhere; a flush at exit would only fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
