"""The program: choose the command, turn every error into one message and one exit status."""

import errno
import gc
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

from .output.streams import flush_stdout, forget_stdout, make_steady

_OBJECTS_BETWEEN_COLLECTIONS = 30_000


def main() -> NoReturn:
    """The `atectl` program."""
    # Starting up makes many objects, and none of them is garbage: looking through them again and
    # again would take five percent of a warm start.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    make_steady()
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
        forget_stdout()
        return BROKEN_PIPE_STATUS
    except KeyboardInterrupt:
        flush_stdout()
        return INTERRUPTED_STATUS
    except SystemExit:  # which is how Rich says that the pipe is broken
        return BROKEN_PIPE_STATUS
    except AtectlError as error:
        flush_stdout()
        return _reported(error)
    except Exception as error:
        if _is_of_stdout(error):
            forget_stdout()
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


def _is_of_stdout(error: Exception) -> bool:
    # What fails to be written names no file; everything of ours that opens one does.
    return (
        isinstance(error, OSError)
        and error.filename is None
        and error.errno in (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT)
    )
