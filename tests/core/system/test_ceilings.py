"""What the machine lets a process have: the tightest bound counts."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from atectl.budget.file import default_limit_bytes
from atectl.system.ceilings import Ceiling, ceilings, tightest

MIB = 1 << 20
UNLIMITED = resource.RLIM_INFINITY


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up machine of 4 GiB, with a control group of 1000 MiB and no limit on the process."""
    for name, text in {
        "proc/meminfo": "MemTotal: 4194304 kB\nMemFree: 100 kB\nMemAvailable: 1048576 kB\n",
        "proc/self/cgroup": "0::/work\n",
        "proc/self/mountinfo": "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "sys/fs/cgroup/work/memory.max": f"{1000 * MIB}\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (UNLIMITED, UNLIMITED))
    return tmp_path


def test_every_bound_is_told_and_none_where_there_is_none(machine: Path) -> None:
    sizes = {each.name: each.size_bytes for each in ceilings(root=str(machine))}
    assert sizes == {
        "physical memory": 4096 * MIB,
        "control group": 1000 * MIB,
        "address space (ulimit -v)": None,
        "data (ulimit -d)": None,
    }


def test_the_tightest_bound_is_the_lowest_that_is_set() -> None:
    bounds = [Ceiling("a", 3), Ceiling("b", None), Ceiling("c", 2), Ceiling("d", 2)]
    assert tightest(bounds) == Ceiling("c", 2)


def test_the_default_limit_is_nine_tenths_of_the_tightest(machine: Path) -> None:
    assert default_limit_bytes(root=str(machine)) == 900 * MIB


def test_without_a_control_group_physical_memory_counts(machine: Path) -> None:
    (machine / "sys/fs/cgroup/work/memory.max").write_text("max\n")
    assert default_limit_bytes(root=str(machine)) == 4096 * MIB * 9 // 10


def test_a_limit_on_the_process_is_a_bound() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_DATA, (100 << 20, -1)); "
        "from atectl.system.ceilings import ceilings, tightest; print(*tightest(ceilings())[:2])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == f"data (ulimit -d) {100 * MIB}\n"
