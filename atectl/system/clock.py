"""The clock of deadlines and lock TTLs. It is never set, and it goes on during suspension."""

import time


def boottime() -> float:
    """Seconds since the machine started, including time suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
