"""How many files this process may have open, and some that are kept for the host itself."""

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_RESERVED = 64
"""How many descriptors guests leave to the host, where there are many."""

_lock = threading.Lock()
_inside = [0]


def raise_limit() -> None:
    """Let this process have nearly as many open files as the system lets it have.

    The last of them are for whoever enters `reserve`.
    """
    with _lock:
        _set_limit()


@contextmanager
def reserve() -> Iterator[None]:
    """Let this process have the last of its descriptors, too, while this is entered.

    Guests open files in the same process. What the host does for all of them must not fail
    because one guest has taken all the others. A guest that opens files at this very moment
    may take the last ones too: only a process of its own could keep it from that.
    """
    with _lock:
        _inside[0] += 1
        _set_limit()
    try:
        yield
    finally:
        with _lock:
            _inside[0] -= 1
            _set_limit()


def _set_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return
    kept = 0 if _inside[0] else min(_RESERVED, hard // 8)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard - kept, hard))
