"""What a capsule may cost before it runs, where nobody says."""

import pytest

from atectl.capsule import limits as compile_limits
from atectl.capsule.limits import CompileLimits
from atectl.system import memory
from atectl.system.ceilings import Ceiling

MIB = 1 << 20
GIB = 1 << 30


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process holds 100 MiB."""
    monkeypatch.setattr(memory, "resident_bytes", lambda: 100 * MIB)


@pytest.mark.parametrize(
    ("limit", "memory_bytes"),
    [
        (4 * GIB, GIB),
        (612 * MIB, 768 * MIB),  # the kernel counts half as much again as is granted
        (101 * MIB, compile_limits._LEAST_MEMORY_BYTES),
        (1, compile_limits._LEAST_MEMORY_BYTES),
    ],
)
def test_compiling_may_take_what_a_hosts_limit_leaves_but_no_more_than_a_gibibyte(
    limit: int, memory_bytes: int
) -> None:
    assert CompileLimits().settled(limit) == CompileLimits(memory_bytes=memory_bytes)


def test_without_a_host_it_is_the_tightest_ceiling_of_the_machine_that_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ceiling = Ceiling("some", 300 * MIB)
    monkeypatch.setattr("atectl.system.ceilings.ceilings", lambda: (ceiling,))
    assert CompileLimits().settled().memory_bytes == 200 * MIB


def test_what_was_said_stands() -> None:
    said = CompileLimits(memory_bytes=5)
    assert said.settled(1) is said.settled() is said
