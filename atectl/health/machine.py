"""Whether guests can have on this machine what their quotas grant: memory, limits, /proc.

`root` is the folder that stands for `/`: files of the system are read below it.
"""

import mmap
import os
import resource
from pathlib import Path

from atectl.finding import Finding, Verdict
from atectl.system import processes
from atectl.system.memory import host_memory, throttled_from
from atectl.units import show_size

RESERVED_BYTES = (4 << 30) + (32 << 20)
"""Address space that the engine reserves for each memory: 4 GiB and a guard region after it."""

LEAST_MEMORY_BYTES = 128 << 20
"""The memory that atectl and one guest under the default quota take together."""

_STRICT_OVERCOMMIT = "2"


def check_memory(*, root: str = "/") -> Finding:
    """Check for one guest's memory: physical, available, and within the control group.

    Also that the kernel does not slow processes down before (memory.high).
    """
    memory = host_memory(root=root)
    limit_bytes, used_bytes = memory.cgroup_limit_bytes, memory.cgroup_used_bytes
    available = f"{show_size(memory.available_bytes)} available"
    found = f"{show_size(memory.physical_bytes)}, {available}; "
    if limit_bytes is None:
        found += "no control group limits it"
    else:
        used = "" if used_bytes is None else f", {show_size(used_bytes)} of it used"
        found += f"limited to {show_size(limit_bytes)} by the control group{used}"
    most_bytes = min(memory.available_bytes, memory.limit_bytes)
    slowed_bytes = throttled_from(root=root)
    if slowed_bytes is not None:
        found += f"; slowed down from {show_size(slowed_bytes)} on"
        most_bytes = min(most_bytes, slowed_bytes)
    if most_bytes < LEAST_MEMORY_BYTES:
        least = show_size(LEAST_MEMORY_BYTES)
        remedy = f"free or grant {least}, which one guest under the default quota needs"
        return Finding(Verdict.WARNING, found, remedy)
    return Finding(Verdict.OK, found)


def check_resource_limits() -> Finding:
    """Check that no limit of this process (ulimit) refuses a guest what its quota grants."""
    address, data, stack = (
        resource.getrlimit(kind)[0]
        for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_STACK)
    )
    limits = {"address space": address, "data": data, "stack": stack}
    found = ", ".join(f"{name} {_show_limit(limit)}" for name, limit in limits.items())
    unlimited = resource.RLIM_INFINITY
    # The limit on stacks does not matter: the engine sets the size of a guest's stack.
    raised = [flag for flag, limit in (("-v", address), ("-d", data)) if limit != unlimited]
    if not raised:
        return Finding(Verdict.OK, found)
    raising = "; ".join(f"ulimit {flag} unlimited" for flag in raised)
    return Finding(Verdict.WARNING, found, f"guests are limited by their quotas: `{raising}`")


def _show_limit(limit: int) -> str:
    return "unlimited" if limit == resource.RLIM_INFINITY else show_size(limit)


def check_address_space() -> Finding:
    """Check that the address space of one guest memory can be reserved, by reserving it."""
    size = show_size(RESERVED_BYTES)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    try:
        mmap.mmap(-1, RESERVED_BYTES, flags=flags, prot=0).close()
    except OSError as error:
        reason = f"the {size} that each memory needs cannot be reserved: {error.strerror}"
        return Finding(Verdict.PROBLEM, reason, "raise the limit: `ulimit -v unlimited`")
    return Finding(Verdict.OK, f"the {size} that each memory needs can be reserved")


def check_overcommit(*, root: str = "/") -> Finding:
    """Check that the system gives memory when a guest touches it, not already when it grows."""
    try:
        mode = Path(root, "proc/sys/vm/overcommit_memory").read_text().strip()
    except OSError:
        return Finding(Verdict.SKIPPED, "the system does not tell its mode")
    if mode == _STRICT_OVERCOMMIT:
        reason = "mode 2: memory counts as used once a guest grows, so growth can fail early"
        return Finding(Verdict.WARNING, reason, "`sysctl vm.overcommit_memory=0`")
    return Finding(Verdict.OK, f"mode {mode}")


def check_process_identity() -> Finding:
    """Check that a run that was killed can be told from one that still runs."""
    if processes.process_identity(os.getpid()):
        return Finding(Verdict.OK, "the start time of a process can be told")
    reason = "the start time of a process cannot be told: killed runs stay listed as running"
    return Finding(Verdict.WARNING, reason, "mount /proc where atectl runs")
