"""The checks of a machine, under real limits and on made-up ones."""

import resource
from pathlib import Path

import pytest

from atectl.finding import Finding, Verdict
from atectl.health import machine as machine_health
from atectl.system import processes
from atectl.units import show_size
from tests.support.python_child import in_child

GIB = 1 << 30


def limited(kind: str, size: int, check: str) -> str:
    """The finding of a check of the machine where a resource limit is `size` bytes."""
    return in_child(
        "import resource\n"
        "from atectl.health import machine\n"
        f"resource.setrlimit(resource.{kind}, ({size}, {size}))\n"
        f"finding = machine.{check}()\n"
        "print(finding.verdict.value, finding.found, finding.remedy, sep='\\n')"
    )


def machine(root: Path, *, available_kib: int, group_limit: str | None = None) -> str:
    """A made-up machine of 4 GiB; the folder that stands for its `/`."""
    files = {
        "proc/meminfo": f"MemTotal: 4194304 kB\nMemFree: 1 kB\nMemAvailable: {available_kib} kB\n",
        "proc/self/cgroup": "0::/a\n",
        "proc/self/mountinfo": "1 2 0:3 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    }
    if group_limit is not None:
        files["sys/fs/cgroup/a/memory.max"] = group_limit
        files["sys/fs/cgroup/a/memory.current"] = "1048576"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


def test_memory_that_nothing_limits(tmp_path: Path) -> None:
    root = machine(tmp_path, available_kib=1 << 20)
    assert machine_health.check_memory(root=root) == Finding(
        Verdict.OK, "4 GiB, 1 GiB available; no control group limits it"
    )


def test_memory_that_a_control_group_limits(tmp_path: Path) -> None:
    root = machine(tmp_path, available_kib=1 << 20, group_limit=str(512 << 20))
    assert machine_health.check_memory(root=root) == Finding(
        Verdict.OK,
        "4 GiB, 1 GiB available; limited to 512 MiB by the control group, 1 MiB of it used",
    )


@pytest.mark.parametrize(("available_kib", "limit"), [(1 << 20, 100 << 20), (100 << 10, 1 << 30)])
def test_too_little_memory_for_a_guest_is_a_warning(
    tmp_path: Path, available_kib: int, limit: int
) -> None:
    root = machine(tmp_path, available_kib=available_kib, group_limit=str(limit))
    assert machine_health.check_memory(root=root).verdict is Verdict.WARNING


@pytest.mark.parametrize(
    ("high", "verdict"), [(1 << 30, Verdict.OK), (100 << 20, Verdict.WARNING)], ids=str
)
def test_where_the_kernel_slows_processes_down_is_told(
    tmp_path: Path, high: int, verdict: Verdict
) -> None:
    root = machine(tmp_path, available_kib=1 << 20)
    file = tmp_path / "sys/fs/cgroup/a/memory.high"
    file.parent.mkdir(parents=True)
    file.write_text(f"{high}\n")
    finding = machine_health.check_memory(root=root)
    assert finding.verdict is verdict
    assert finding.found.endswith(f"; slowed down from {show_size(high)} on")


def test_limits_of_this_process_are_told() -> None:
    found = machine_health.check_resource_limits().found
    stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
    shown = "unlimited" if stack == resource.RLIM_INFINITY else show_size(stack)
    assert found.endswith(f", stack {shown}")


@pytest.mark.parametrize(
    ("kind", "told", "flag"),
    [("RLIMIT_AS", "address space 64 GiB", "-v"), ("RLIMIT_DATA", "data 64 GiB", "-d")],
)
def test_a_limit_below_which_guests_share_is_a_warning(kind: str, told: str, flag: str) -> None:
    said = limited(kind, 64 * GIB, "check_resource_limits")
    assert said.startswith("warning\n")
    assert told in said
    assert f"ulimit {flag} unlimited" in said


def test_too_little_address_space_for_one_memory_is_a_problem() -> None:
    said = limited("RLIMIT_AS", 4 * GIB, "check_address_space")
    assert said.startswith("problem\nthe 4.03 GiB that each memory needs cannot be reserved: ")


def test_enough_address_space_for_one_memory() -> None:
    assert limited("RLIMIT_AS", 6 * GIB, "check_address_space").startswith("ok\n")


def test_a_memory_reserves_no_more_than_is_tried(tmp_path: Path) -> None:
    needed = in_child(
        """
import wasmtime
from atectl.engine import memory
from atectl.engine.selftest import self_test
reserved = []
class Recorded(memory.MappedMemory):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        reserved.append(self.mapped_bytes)
memory.MappedMemory = Recorded
self_test()
print(*reserved)
"""
    )
    assert int(needed) == machine_health.RESERVED_BYTES


@pytest.mark.parametrize(
    ("mode", "verdict"), [("0\n", Verdict.OK), ("1\n", Verdict.OK), ("2\n", Verdict.WARNING)]
)
def test_only_strict_overcommit_is_a_warning(tmp_path: Path, mode: str, verdict: Verdict) -> None:
    path = tmp_path / "proc/sys/vm/overcommit_memory"
    path.parent.mkdir(parents=True)
    path.write_text(mode)
    assert machine_health.check_overcommit(root=str(tmp_path)).verdict is verdict


def test_a_system_that_does_not_tell_its_overcommit_mode_is_skipped(tmp_path: Path) -> None:
    assert machine_health.check_overcommit(root=str(tmp_path)).verdict is Verdict.SKIPPED


def test_a_system_that_tells_processes_apart() -> None:
    assert machine_health.check_process_identity().verdict is Verdict.OK


def test_a_system_that_does_not_tell_processes_apart_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "process_identity", lambda pid: None)
    finding = machine_health.check_process_identity()
    assert finding.verdict is Verdict.WARNING
    assert "killed runs stay listed as running" in finding.found
