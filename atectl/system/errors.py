"""What goes wrong with the processes that atectl starts for its own work: E705."""

import errno
import sys

from atectl.errors import AtectlError

_NOT_THE_FILE = frozenset((errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM))


class PythonNotStarted(AtectlError):
    """Another process of Python, which atectl needs for its work, could not be started."""

    code = "E705"
    example = "the Python that atectl runs with was removed, or may no longer be executed"
    default_remedy = "have this user be able to execute that file, or install atectl again"


def not_started(error: OSError) -> PythonNotStarted:
    """The error for a system call that should have started another Python."""
    message = f"{sys.executable}: Python could not be started: {error.strerror}"
    if error.errno in _NOT_THE_FILE:
        return PythonNotStarted(
            message, remedy="free memory, descriptors or processes: `ulimit -a`"
        )
    return PythonNotStarted(message)
