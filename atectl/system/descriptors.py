"""The limit of open files of this process, and a reserve that is kept for the host itself."""

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_RESERVED = 64
"""How many descriptors are kept for the host; fewer if the limit is low."""

_lock = threading.Lock()
_inside = [0]


def raise_limit() -> None:
    """Raise the limit of open files nearly to the highest that the system allows.

    The rest is a reserve for code within `reserve`.
    """
    with _lock:
        _set_limit()


@contextmanager
def reserve() -> Iterator[None]:
    """Let this process use the reserve of descriptors as well, while this is entered.

    Guests open files in the same process. What the host does for all of them must not fail
    because one guest has taken all the others. A guest that opens files at this very moment can
    take from the reserve too: only running it in another process could prevent that.
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
