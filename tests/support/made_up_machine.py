"""A made-up /proc and /sys, for control groups and amounts of memory that this machine lacks."""

from pathlib import Path

from atectl.system.memory import HostMemory, host_memory

MEMINFO = "MemTotal:        4194304 kB\nMemFree:          100 kB\nMemAvailable:    1048576 kB\n"


class Machine:
    """A made-up /proc and /sys."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("proc/meminfo", MEMINFO)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def v2(self, group: str, mounted_group: str = "/") -> None:
        self.write("proc/self/cgroup", f"0::{group}\n")
        self.write(
            "proc/self/mountinfo",
            "30 23 0:27 / /proc rw,nosuid - proc proc rw\n"
            f"31 23 0:28 {mounted_group} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
        )

    def v1(self, group: str, mounted_group: str = "/") -> None:
        self.write("proc/self/cgroup", f"5:cpu,cpuacct:/\n4:memory:{group}\n0::/\n")
        self.write(
            "proc/self/mountinfo",
            "33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
            f"35 31 0:32 {mounted_group} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
            "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        )

    def v2_group(self, group: str, limit: object, used: int) -> None:
        self.write(f"sys/fs/cgroup/{group}/memory.max", f"{limit}\n")
        self.write(f"sys/fs/cgroup/{group}/memory.current", f"{used}\n")

    def v1_group(self, group: str, limit: object, used: int) -> None:
        self.write(f"sys/fs/cgroup/memory/{group}/memory.limit_in_bytes", f"{limit}\n")
        self.write(f"sys/fs/cgroup/memory/{group}/memory.usage_in_bytes", f"{used}\n")

    def read(self) -> HostMemory:
        return host_memory(root=str(self.root))
