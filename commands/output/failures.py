"""How a command line that failed ends: one message, and one exit status."""

import errno
import os

from atectl.errors import (
    BROKEN_PIPE_STATUS,
    INTERRUPTED_STATUS,
    AtectlError,
    InternalError,
    OutputUnwritable,
)

from .stderr import report_error
from .streams import flush_stdout, forget_stdout


def report_failure(failure: BaseException) -> int:
    """Print what went wrong, unless the status says it; the exit status.

    Raises:
        Exception: a fault of atectl itself, where ATECTL_DEBUG asks for its traceback.
    """
    match failure:
        case BrokenPipeError():
            forget_stdout()
            return BROKEN_PIPE_STATUS
        case KeyboardInterrupt():
            flush_stdout()
            return INTERRUPTED_STATUS
        case SystemExit():  # which is how Rich says that the pipe is broken
            return BROKEN_PIPE_STATUS
        case AtectlError():
            flush_stdout()
            return _reported(failure)
        case OSError() if _is_of_stdout(failure):
            forget_stdout()
            return _reported(OutputUnwritable(f"standard output cannot be written: {failure}"))
    if os.environ.get("ATECTL_DEBUG") or not isinstance(failure, Exception):
        raise failure
    return _reported(InternalError(f"{type(failure).__name__}: {failure}"))


def _reported(error: AtectlError) -> int:
    report_error(error)
    return error.exit_status


def _is_of_stdout(error: OSError) -> bool:
    # What fails to be written names no file; everything of ours that opens one does.
    unwritten = (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT)
    return error.filename is None and error.errno in unwritten
