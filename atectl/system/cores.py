"""What the cores do that this process may use."""

import os
from pathlib import Path

_STAT = Path("/proc/stat")
_IDLE, _IOWAIT = 4, 5  # behind the core's name, and what it did for users and the system
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def idle_s() -> float | None:
    """How long they were idle since the system started, all together; None if it does not tell.

    Source: proc_stat(5).
    """
    names = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    try:
        rows = [line.split() for line in _STAT.read_text().splitlines() if line.startswith("cpu")]
        ticks = sum(int(row[_IDLE]) + int(row[_IOWAIT]) for row in rows if row[0] in names)
    except (OSError, ValueError, IndexError):
        return None
    return ticks / _TICKS_PER_S
