"""The memory of this machine, its use by processes, and the limit of the control group.

It is read from /proc and /sys in well under a millisecond; psutil is asked only if there is no
/proc. Functions take `root`, the folder that stands for `/`.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from atectl.system.held import statm

_M_MMAP_THRESHOLD = -3

_UNLIMITED_BYTES = 1 << 62
"""No limit: cgroup v1 shows it as the largest page-aligned number, v2 as the word `max`."""


class HostMemory(NamedTuple):
    """Memory of this machine in bytes.

    `cgroup_limit_bytes` is the limit of the tightest control group around this process, None if
    none limits it; `cgroup_used_bytes` is what that group uses, page cache included.
    """

    physical_bytes: int
    available_bytes: int
    cgroup_limit_bytes: int | None
    cgroup_used_bytes: int | None

    @property
    def limit_bytes(self) -> int:
        """The physical memory, or the control group's limit if that is lower."""
        if self.cgroup_limit_bytes is None:
            return self.physical_bytes
        return min(self.physical_bytes, self.cgroup_limit_bytes)


def resident_bytes(pid: int | None = None, *, root: str = "/") -> int | None:
    """Resident bytes of a process (None: this one); None if it is gone or may not be read."""
    try:
        pages = statm(pid, root)
    except OSError:
        return None if Path(root, "proc/self").exists() else _resident_by_psutil(pid)
    return pages[1] * os.sysconf("SC_PAGE_SIZE")


def private_bytes(pid: int, *, root: str = "/") -> int | None:
    """Resident bytes that a process shares with no other; None where the system does not tell."""
    try:
        lines = Path(root, "proc", str(pid), "smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024


def give_back_at_once(block_bytes: int) -> None:
    """From now on, blocks of this size and more go back to the system as soon as they are freed.

    Does nothing if the C library has no such setting.
    """
    from atectl.system.libc import libc

    with suppress(AttributeError):
        libc.mallopt(_M_MMAP_THRESHOLD, block_bytes)


def trim() -> None:
    """Give freed memory that the C library's allocator still keeps back to the system.

    Does nothing if the C library has no such function.
    """
    from atectl.system.libc import libc

    with suppress(AttributeError):
        libc.malloc_trim(0)


def allocated_bytes() -> int | None:
    """What the C library's allocator has given out and not got back; None if it does not tell."""
    import ctypes

    from atectl.system.libc import libc

    class Told(ctypes.Structure):
        _fields_ = [(name, ctypes.c_size_t) for name in _MALLINFO]

    tell = getattr(libc, "mallinfo2", None)
    if tell is None:
        return None
    tell.restype = Told
    told: Any = tell()
    return int(told.uordblks + told.hblkhd)


_MALLINFO = (
    "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks",
    "keepcost",
)  # fmt: skip


def host_memory(*, root: str = "/") -> HostMemory:
    """The memory of this machine now, and of the control group that limits this process."""
    physical, available = _physical_and_available(root)
    group_limit, group_used = _tightest_group(root)
    return HostMemory(physical, available, group_limit, group_used)


def _physical_and_available(root: str) -> tuple[int, int]:
    try:
        lines = Path(root, "proc/meminfo").read_text().splitlines()
    except OSError:
        return _memory_by_psutil()
    kibibytes = {name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)}
    available = kibibytes.get("MemAvailable", kibibytes["MemFree"])
    return kibibytes["MemTotal"] * 1024, available * 1024


class _Hierarchy(NamedTuple):
    """One version of control groups: the name of its mount, and its files."""

    filesystem: str
    controller: str
    limit_file: str
    usage_file: str


_HIERARCHIES = (
    _Hierarchy("cgroup2", "", "memory.max", "memory.current"),
    _Hierarchy("cgroup", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def _tightest_group(root: str) -> tuple[int | None, int | None]:
    found = [
        (limit, group / hierarchy.usage_file)
        for hierarchy in _HIERARCHIES
        for group in _groups_around(hierarchy, root)
        if (limit := _group_limit(group, hierarchy)) is not None
    ]
    if not found:
        return None, None
    limit, usage_file = min(found)
    return limit, _read_bytes(usage_file)


def _group_limit(group: Path, hierarchy: _Hierarchy) -> int | None:
    """The limit of a group; of one of version 1 also that of its parents, as it tells it.

    In a container the parents are often not mounted, and their limits cannot be read.
    """
    own = _read_bytes(group / hierarchy.limit_file)
    if hierarchy.filesystem != "cgroup":
        return own
    stat = dict(line.partition(" ")[::2] for line in _lines(group / "memory.stat"))
    inherited = stat.get("hierarchical_memory_limit", "")
    limits = [own] if own is not None else []
    if inherited.isdecimal() and int(inherited) < _UNLIMITED_BYTES:
        limits.append(int(inherited))
    return min(limits, default=None)


def throttled_from(*, root: str = "/") -> int | None:
    """From how many bytes on the kernel slows this process down (memory.high of version 2).

    It is the lowest of the control groups around it; None if none says so.
    """
    groups = _groups_around(_HIERARCHIES[0], root)
    found = [size for group in groups if (size := _read_bytes(group / "memory.high")) is not None]
    return min(found, default=None)


def _groups_around(hierarchy: _Hierarchy, root: str) -> Iterator[Path]:
    """The folders of this process's group and of its ancestors, as far as they are mounted."""
    group = _own_group(hierarchy, root)
    mount = _mount(hierarchy, root)
    if group is None or mount is None:
        return
    mounted_group, mount_point = mount
    try:
        inside = Path(group).relative_to(mounted_group)
    except ValueError:
        # The group is outside of what this container can see: only the mounted group is known.
        inside = Path()
    top = Path(root, mount_point.lstrip("/"))
    yield from (top / ancestor for ancestor in (inside, *inside.parents))


def _own_group(hierarchy: _Hierarchy, root: str) -> str | None:
    for line in _lines(Path(root, "proc/self/cgroup")):
        _, controllers, group = line.split(":", 2)
        if hierarchy.controller in controllers.split(","):
            return group
    return None


def _mount(hierarchy: _Hierarchy, root: str) -> tuple[str, str] | None:
    """Which group is mounted, and where."""
    for line in _lines(Path(root, "proc/self/mountinfo")):
        place, _, source = line.partition(" - ")
        filesystem, _, options = source.split(" ", 2)
        has_controller = not hierarchy.controller or hierarchy.controller in options.split(",")
        if filesystem == hierarchy.filesystem and has_controller:
            mounted_group, mount_point = place.split(" ")[3:5]
            return mounted_group, mount_point
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []


def _read_bytes(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    if not text.isdecimal():
        return None
    size = int(text)
    return size if size < _UNLIMITED_BYTES else None


def _resident_by_psutil(pid: int | None) -> int | None:
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None


def _memory_by_psutil() -> tuple[int, int]:
    import psutil

    memory = psutil.virtual_memory()
    return int(memory.total), int(memory.available)
