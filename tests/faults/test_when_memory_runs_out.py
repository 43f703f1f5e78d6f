"""What the README's table says of memory that runs out, by the commands that it compares.

For `docker run --memory` stands what it asks of the kernel for a container: a memory control group
around the wasmtime command.
"""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.processes import wasmtime_binary
from tests.conftest import CAPSULES
from tests.support.memory_group import memory_group
from tests.support.program import atectl

MIB = 1 << 20
README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
QUOTA = ("--max-mem", "10MiB", "--ledger", "none")


def wasmtime(capsule: str, *options: str) -> subprocess.CompletedProcess[str]:
    limit = ("-W", f"max-memory-size={10 * MIB}", *options)
    return subprocess.run(
        [wasmtime_binary(), "run", *limit, str(CAPSULES / f"{capsule}.wat")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def cell(row: str, column: str) -> str:
    """What the README's table says: `row` is how a row begins, `column` is in the head of one."""
    rows = [
        [word.strip() for word in line.strip("|").split(" | ")]
        for line in README.partition("## When memory runs out\n")[2].splitlines()
        if line.startswith("| ")
    ]
    [place] = [place for place, head in enumerate(rows[0]) if column in head]
    [found] = [each for each in rows if each[0].startswith(row)]
    return found[place]


@pytest.fixture
def group() -> Iterator[Path]:
    with memory_group(48 * MIB) as folder:
        yield folder


def contained(group: Path, capsule: str, *words: str) -> subprocess.Popen[str]:
    """The wasmtime command in a control group."""
    script = 'echo $$ > "$0/cgroup.procs"; exec "$@"'
    command = [wasmtime_binary(), "run", str(CAPSULES / f"{capsule}.wat"), *words]
    return subprocess.Popen(
        ["sh", "-c", script, str(group), *command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


# A guest asks for more than its limit.


def test_wasmtime_fails_the_growth_and_says_nothing() -> None:
    ended = wasmtime("never-stops-growing")
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "held 9 MiB\n", "")
    assert "nothing says so" in cell("a guest asks", "wasmtime")


def test_a_container_is_killed_without_a_word(group: Path) -> None:
    process = contained(group, "never-stops-growing")
    told, _ = process.communicate(timeout=60)
    assert (process.returncode, told) == (-signal.SIGKILL, "")
    assert f"killed: {128 + signal.SIGKILL}" in cell("a guest asks", "docker")


def test_atectl_fails_the_growth_and_says_how_much_was_refused() -> None:
    ended = atectl("run", *QUOTA, CAPSULES / "never-stops-growing.wat")
    assert (ended.status, ended.stdout) == (3, "held 9 MiB\n")
    assert "1 growth was refused, the largest of 1 MiB" in ended.stderr
    assert "--max-mem raises it" in ended.stderr
    assert "how much, and which flag raises it" in cell("a guest asks", "atectl")


# A guest with two memories.


def test_wasmtime_limits_each_of_two_memories() -> None:
    status = wasmtime("two-memories").returncode
    assert f"{status} MiB under 10 MiB" in cell("a guest with two", "wasmtime")


def test_a_container_counts_memory_only_once_it_is_written(group: Path) -> None:
    process = contained(group, "two-memories")
    process.communicate(timeout=60)
    assert process.returncode >= 0
    assert "only once it is written" in cell("a guest with two", "docker")


def test_atectl_limits_two_memories_together() -> None:
    status = atectl("run", *QUOTA, CAPSULES / "two-memories.wat").status
    assert f"{status} MiB under 10 MiB" in cell("a guest with two", "atectl")


# A capsule needs more than its limit to start.


def test_wasmtime_does_not_start_it_and_shows_the_engines_frames() -> None:
    ended = wasmtime("initial-memory")
    assert ended.returncode == 1
    assert "Stack backtrace" in ended.stderr
    assert cell("it needs more", "wasmtime") == "1, and a backtrace of the engine"


def test_a_container_starts_it() -> None:
    with memory_group(24 * MIB) as group:
        process = contained(group, "initial-memory")
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert cell("it needs more", "docker").startswith("it starts")


def test_atectl_says_what_it_needs() -> None:
    ended = atectl("run", *QUOTA, CAPSULES / "initial-memory.wat")
    assert ended.status == 137
    assert "needs 33554432 bytes (32MiB) to start" in ended.stderr
    assert cell("it needs more", "atectl").startswith("137, with the figure")


# Several want more than there is, together. That atectl's all finish: test_bounded_memory.py.


def test_some_of_several_in_one_container_are_killed(group: Path) -> None:
    processes = [contained(group, "bounded", "seed", "3") for _ in range(4)]
    for process in processes:
        process.communicate(timeout=60)
    assert -signal.SIGKILL in {process.returncode for process in processes}
    assert "are killed" in cell("twelve", "docker")
