"""The program: choose the command, turn every error into one message and one exit status."""

import errno
import io
import os
import sys
from typing import NoReturn

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
    _spare_narrow_encodings()
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
        return INTERRUPTED_STATUS
    except SystemExit:  # which is how Rich says that the pipe is broken
        return BROKEN_PIPE_STATUS
    except AtectlError as error:
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


def _spare_narrow_encodings() -> None:
    """Have what the terminal's encoding lacks shown as a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="replace")


def _is_of_stdout(error: Exception) -> bool:
    # What fails to be written names no file; everything of ours that opens one does.
    return (
        isinstance(error, OSError)
        and error.filename is None
        and error.errno in (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT)
    )


def _forget_stdout() -> None:
    # What is still buffered can go nowhere; a flush at exit would only fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
