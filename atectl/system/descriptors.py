"""The limit of open files of this process."""

import resource

_PLENTY = 1 << 20
"""What Linux lets a process have open where nothing else bounds that."""


def raise_limit() -> None:
    """Raise the limit of open files to the highest that the system allows.

    Guests share it with nobody: those of a batch have processes of their own, and that of a run a
    bound of its own.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most() -> int:
    """How many files a process may have open at most, once its limit is raised."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _PLENTY if hard == resource.RLIM_INFINITY else hard
