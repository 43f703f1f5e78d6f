"""How much memory this machine lets one process have, whatever a budget says."""

import resource
from collections.abc import Sequence
from typing import NamedTuple

from atectl.system.memory import host_memory

DEFAULT_SHARE = 0.9
"""The share of the tightest ceiling that is the limit of a budget which names none."""


class Ceiling(NamedTuple):
    """One bound on the memory of this process. `size_bytes` is None if it is not set."""

    name: str
    size_bytes: int | None
    can_be_raised: bool = True

    def allows(self, size_bytes: int) -> bool:
        """Whether one process may have that much memory under this bound."""
        return self.size_bytes is None or size_bytes <= self.size_bytes


def ceilings(*, root: str = "/") -> tuple[Ceiling, ...]:
    """The bounds that this machine sets, physical memory first.

    Args:
        root: the folder that stands for `/`.
    """
    memory = host_memory(root=root)
    return (
        Ceiling("physical memory", memory.physical_bytes, can_be_raised=False),
        Ceiling("control group", memory.cgroup_limit_bytes),
        Ceiling("address space (ulimit -v)", _soft_limit(resource.RLIMIT_AS)),
        Ceiling("data (ulimit -d)", _soft_limit(resource.RLIMIT_DATA)),
    )


def tightest(among: Sequence[Ceiling]) -> Ceiling:
    """The lowest of the bounds that are set, the first if several are. At least one must be set."""
    return min(
        (each for each in among if each.size_bytes is not None),
        key=lambda each: each.size_bytes or 0,
    )


def _soft_limit(kind: int) -> int | None:
    size = resource.getrlimit(kind)[0]
    return None if size == resource.RLIM_INFINITY else size
