"""The clock of deadlines and of a lock's TTL: nobody sets it, and it counts suspension."""

import time


def boottime() -> float:
    """Seconds since the machine started, those of its suspension included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
