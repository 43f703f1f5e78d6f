"""How many capsules are loaded at once, under which limits."""

from typing import NamedTuple

from atectl.capsule.limits import DEFAULT_LIMITS, CompileLimits
from atectl.system.memory import host_memory

DEFAULT_CONCURRENCY = 12
"""How many capsules are on their way at once."""

AVAILABLE_SHARE = 0.5
"""How much of the memory that is available is taken where nobody says."""


class Plan(NamedTuple):
    """How capsules are loaded. `limit_bytes` is None for a share of what is available."""

    concurrency: int = DEFAULT_CONCURRENCY
    limit_bytes: int | None = None
    compiling: CompileLimits = DEFAULT_LIMITS
    uses_cache: bool = True

    def settled_limit_bytes(self) -> int:
        """The limit as it is now, on this machine and in its control group."""
        if self.limit_bytes is not None:
            return self.limit_bytes
        memory = host_memory()
        left_bytes = memory.available_bytes
        if memory.cgroup_limit_bytes is not None:
            used_bytes = memory.cgroup_used_bytes or 0
            left_bytes = min(left_bytes, memory.cgroup_limit_bytes - used_bytes)
        return max(int(left_bytes * AVAILABLE_SHARE), 1)
