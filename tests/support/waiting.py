"""Waiting until something holds, and never for a time."""

import time
from collections.abc import Callable

SOON_S = 60.0
"""When waiting is given up: nothing takes so long, however busy the machine is."""


def wait_until(holds: Callable[[], object], seconds: float = SOON_S) -> float:
    """Ask every few milliseconds until it holds; the instant of `time.monotonic` at which it did.

    Raises:
        AssertionError: it did not come to hold within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it did not come about within {seconds} s"
        time.sleep(0.005)
    return time.monotonic()
