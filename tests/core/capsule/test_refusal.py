"""A refusal judges content: it outlives the name of the file, and holds as long as its limit."""

import pytest

from atectl.capsule.errors import CompileMemory, CompileTime, ExtraMissing
from atectl.capsule.limits import CompileLimits
from atectl.capsule.refusal import Refusal
from atectl.errors import InvalidCapsule, NoEntryPoint

MIB = 1 << 20
SAID = InvalidCapsule("old.wasm: a type\nis missing", remedy="mend it")


def test_it_is_told_of_the_file_that_is_asked_for() -> None:
    error = Refusal.of(SAID, "old.wasm").error("new.wasm")
    assert isinstance(error, InvalidCapsule)
    assert (str(error), error.remedy) == ("new.wasm: a type\nis missing", "mend it")


def test_it_is_read_as_it_was_recorded() -> None:
    refusal = Refusal.of(SAID, "old.wasm")
    assert Refusal.read(refusal.record()) == refusal
    late = Refusal(CompileTime.code, " is slow", "wait", limit=1.5, is_certain=False)
    assert Refusal.read(late.record()) == late


@pytest.mark.parametrize(
    ("error", "is_certain"),
    [(SAID, True), (ExtraMissing("x needs y"), False), (NoEntryPoint("x has no _start"), False)],
)
def test_only_what_is_true_of_the_content_everywhere_is_certain(
    error: InvalidCapsule | ExtraMissing | NoEntryPoint, is_certain: bool
) -> None:
    assert Refusal.of(error, "x").is_certain == is_certain


@pytest.mark.parametrize(("limit", "holds"), [(63, True), (64, True), (65, False)])
def test_too_much_memory_holds_up_to_the_limit_that_was_too_low(limit: int, holds: bool) -> None:
    refusal = Refusal(CompileMemory.code, " takes more", "raise it", limit=64 * MIB)
    assert refusal.holds_under(CompileLimits(memory_bytes=limit * MIB)) == holds


@pytest.mark.parametrize(("limit", "holds"), [(1.0, True), (2.0, True), (2.5, False)])
def test_too_much_time_holds_up_to_the_limit_that_was_too_low(limit: float, holds: bool) -> None:
    refusal = Refusal(CompileTime.code, " takes longer", "raise it", limit=2.0)
    assert refusal.holds_under(CompileLimits(deadline_s=limit)) == holds


def test_what_no_limit_would_have_let_through_always_holds() -> None:
    assert Refusal.of(SAID, "old.wasm").holds_under(CompileLimits(1 << 40, 1 << 40, 1e6))
