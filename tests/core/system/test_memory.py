"""host_memory reads what the kernel says, in both versions of control groups."""

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from atectl.system.held import Held, held_by
from atectl.system.memory import (
    HostMemory,
    host_memory,
    private_bytes,
    resident_bytes,
    throttled_from,
)
from tests.support.made_up_machine import Machine

MIB = 1 << 20
V1_UNLIMITED = 9223372036854771712


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_physical_and_available_memory_come_from_meminfo(machine: Machine) -> None:
    memory = machine.read()
    assert (memory.physical_bytes, memory.available_bytes) == (4096 * MIB, 1024 * MIB)


def test_an_old_kernel_without_memavailable_counts_free_memory(machine: Machine) -> None:
    machine.write("proc/meminfo", "MemTotal: 2048 kB\nMemFree: 512 kB\n")
    assert machine.read().available_bytes == 512 * 1024


def test_without_control_groups_physical_memory_is_the_limit(machine: Machine) -> None:
    assert machine.read() == HostMemory(4096 * MIB, 1024 * MIB, None, None)
    assert machine.read().limit_bytes == 4096 * MIB


def test_v2_limit_of_the_own_group(machine: Machine) -> None:
    machine.v2("/work")
    machine.v2_group("work", 512 * MIB, 100 * MIB)
    memory = machine.read()
    assert (memory.cgroup_limit_bytes, memory.cgroup_used_bytes) == (512 * MIB, 100 * MIB)
    assert memory.limit_bytes == 512 * MIB


def test_v2_max_is_no_limit(machine: Machine) -> None:
    machine.v2("/work")
    machine.v2_group("work", "max", 100 * MIB)
    assert machine.read().cgroup_limit_bytes is None


def test_v2_tightest_ancestor_counts_with_its_own_usage(machine: Machine) -> None:
    machine.v2("/outer/middle/inner")
    machine.v2_group("outer", 900 * MIB, 300 * MIB)
    machine.v2_group("outer/middle", 200 * MIB, 150 * MIB)
    machine.v2_group("outer/middle/inner", "max", 10 * MIB)
    memory = machine.read()
    assert (memory.cgroup_limit_bytes, memory.cgroup_used_bytes) == (200 * MIB, 150 * MIB)


def test_v1_limit_of_the_memory_controller(machine: Machine) -> None:
    machine.v1("/jobs/a")
    machine.v1_group("jobs/a", 256 * MIB, 64 * MIB)
    machine.v1_group("jobs", 1024 * MIB, 700 * MIB)
    memory = machine.read()
    assert (memory.cgroup_limit_bytes, memory.cgroup_used_bytes) == (256 * MIB, 64 * MIB)


def test_v1_huge_value_is_no_limit(machine: Machine) -> None:
    machine.v1("/jobs")
    machine.v1_group("jobs", V1_UNLIMITED, 64 * MIB)
    assert machine.read().cgroup_limit_bytes is None


def test_a_container_sees_its_own_group_at_the_mount(machine: Machine) -> None:
    machine.v1("/docker/abc", mounted_group="/docker/abc")
    machine.v1_group(".", 128 * MIB, 32 * MIB)
    assert machine.read().cgroup_limit_bytes == 128 * MIB


@pytest.mark.parametrize("group", ["/../elsewhere", "/other/container"])
def test_a_group_outside_the_mount_falls_back_to_the_mount(machine: Machine, group: str) -> None:
    machine.v2(group, mounted_group="/" if ".." in group else "/this/container")
    machine.v2_group(".", 128 * MIB, 32 * MIB)
    assert machine.read().cgroup_limit_bytes == 128 * MIB


def test_a_limit_above_physical_memory_is_not_the_limit(machine: Machine) -> None:
    machine.v2("/work")
    machine.v2_group("work", 8192 * MIB, 0)
    assert machine.read().limit_bytes == 4096 * MIB


def test_a_group_whose_usage_cannot_be_read_still_limits(machine: Machine) -> None:
    machine.v2("/work")
    machine.write("sys/fs/cgroup/work/memory.max", str(64 * MIB))
    memory = machine.read()
    assert (memory.cgroup_limit_bytes, memory.cgroup_used_bytes) == (64 * MIB, None)


def test_resident_bytes_of_a_process_are_its_second_statm_field(machine: Machine) -> None:
    machine.write("proc/77/statm", "9000 250 100 1 0 300 0\n")
    page = os.sysconf("SC_PAGE_SIZE")
    assert resident_bytes(77, root=str(machine.root)) == 250 * page


def test_resident_bytes_of_this_process_rise_with_what_it_touches() -> None:
    before = resident_bytes()
    held = b"x" * (64 * MIB)
    after = resident_bytes()
    assert before is not None
    assert after is not None
    assert after - before > len(held) // 2


def test_resident_bytes_of_an_ended_process_are_unknown() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert resident_bytes(child.pid) is None


def test_where_there_is_no_proc_psutil_is_asked(tmp_path: Path) -> None:
    empty = str(tmp_path)
    resident = resident_bytes(root=empty)
    assert resident is not None
    assert resident > MIB
    assert host_memory(root=empty).physical_bytes == host_memory().physical_bytes
    assert resident_bytes(2**22 + 1, root=empty) is None


def test_this_machine_is_read_without_psutil() -> None:
    code = (
        "import sys; from atectl.system.memory import host_memory, resident_bytes; "
        "memory = host_memory(); resident_bytes(); "
        "assert 0 < memory.available_bytes <= memory.physical_bytes; "
        "assert not {'psutil', 'dataclasses', 'inspect'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_process_holds_what_is_resident_and_not_of_a_file() -> None:
    before = held_by(os.getpid())
    with mmap.mmap(-1, 32 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as content:
        content.write(b"x" * len(content))
        after = held_by(os.getpid())
    assert before is not None
    assert after is not None
    assert after.own_bytes - before.own_bytes > 30 * MIB
    assert after.data_bytes - before.data_bytes > 30 * MIB


def test_what_a_process_holds_is_read_off_the_kernels_page_counts(tmp_path: Path) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    machine = Machine(tmp_path)
    machine.write("proc/7/statm", "900 80 30 5 0 200 0\n")
    machine.write(
        "proc/7/smaps_rollup", "1-2 rollup\nRss: 90 kB\nPrivate_Clean: 3 kB\nPrivate_Dirty: 4 kB\n"
    )
    assert held_by(7, root=str(tmp_path)) == Held(50 * page, 200 * page)
    assert private_bytes(7, root=str(tmp_path)) == 7 * 1024
    assert held_by(8, root=str(tmp_path)) is None
    assert private_bytes(8, root=str(tmp_path)) is None


def test_v1_limit_of_a_parent_that_is_not_mounted_is_told_by_the_group_itself(
    machine: Machine,
) -> None:
    """In a container only its own group is mounted, and the limit may be that of its parent."""
    machine.v1("/jobs/a", mounted_group="/jobs/a")
    machine.v1_group(".", V1_UNLIMITED, 64 * MIB)
    machine.write("sys/fs/cgroup/memory/memory.stat", f"cache 1\nhierarchical_memory_limit {MIB}\n")
    memory = host_memory(root=str(machine.root))
    assert (memory.cgroup_limit_bytes, memory.cgroup_used_bytes) == (MIB, 64 * MIB)


def test_v1_without_any_limit_has_none(machine: Machine) -> None:
    machine.v1("/jobs")
    machine.v1_group("jobs", V1_UNLIMITED, 64 * MIB)
    stat = f"hierarchical_memory_limit {V1_UNLIMITED}\n"
    machine.write("sys/fs/cgroup/memory/jobs/memory.stat", stat)
    assert host_memory(root=str(machine.root)).cgroup_limit_bytes is None


def test_v2_memory_high_of_any_group_around_is_where_throttling_begins(machine: Machine) -> None:
    machine.v2("/jobs/a")
    machine.write("sys/fs/cgroup/jobs/a/memory.high", "max\n")
    assert throttled_from(root=str(machine.root)) is None
    machine.write("sys/fs/cgroup/jobs/memory.high", f"{MIB}\n")
    assert throttled_from(root=str(machine.root)) == MIB
