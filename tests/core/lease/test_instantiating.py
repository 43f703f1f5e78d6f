"""Why a guest cannot start: what it needs over its quota, or what nobody provides."""

from pathlib import Path

import pytest
from wasmtime import Trap

from atectl.accounting import Ledger, Meter, Principal, Quota
from atectl.engine.memory import LeaseMemory
from atectl.engine.metered import Engine, GuestControl
from atectl.errors import (
    AtectlError,
    InitialMemoryOverQuota,
    InitialTableOverQuota,
    InvalidCapsule,
    MissingImport,
)
from atectl.lease.instantiating import instantiate, new_store
from tests.conftest import CAPSULES
from tests.support.loading import load_mapped

PAGE = 65_536


def start(engine: Engine, path: Path, quota: Quota) -> object:
    capsule, control = load_mapped(engine, path, None), GuestControl()
    memory = LeaseMemory(Meter(Principal(), quota, Ledger()))
    store = new_store(engine, capsule, quota, control)
    with engine.memories.charging(memory):
        return instantiate(engine, capsule, store, memory, control)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "capsule.wat"
    path.write_text(text)
    return path


def test_what_fits_its_quota_exactly_starts(engine: Engine, tmp_path: Path) -> None:
    start(engine, written(tmp_path, "(module (memory 2))"), Quota(2 * PAGE))


def test_an_initial_memory_over_the_quota_is_refused_with_both_sizes(
    engine: Engine, tmp_path: Path
) -> None:
    two = written(tmp_path, "(module (memory 2) (memory 3))")
    with pytest.raises(InitialMemoryOverQuota, match=r"needs 327680 bytes .*quota is 262144") as it:
        start(engine, two, Quota(4 * PAGE))
    assert "--max-mem 320KiB" in it.value.remedy


def test_an_initial_table_over_the_quota_is_refused(engine: Engine) -> None:
    with pytest.raises(InitialTableOverQuota, match="at most 2048 elements"):
        start(engine, CAPSULES / "initial-table.wat", Quota(PAGE))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('(module (import "env" "nothing" (func)))', MissingImport),
        ("(module (memory 1 2 shared))", InvalidCapsule),
    ],
)
def test_what_cannot_be_linked_or_metered_is_refused(
    engine: Engine, tmp_path: Path, text: str, kind: type[AtectlError]
) -> None:
    with pytest.raises(kind):
        start(engine, written(tmp_path, text), Quota(4 * PAGE))


def test_a_trap_in_the_start_function_is_the_guests(engine: Engine, tmp_path: Path) -> None:
    traps = written(tmp_path, "(module (func $s unreachable) (start $s))")
    with pytest.raises(Trap):
        start(engine, traps, Quota(PAGE))


@pytest.mark.parametrize("pages", [0x1000000000000, 0xFFFFFFFFFFFF])
def test_a_memory_larger_than_any_quota_is_over_it(
    engine: Engine, tmp_path: Path, pages: int
) -> None:
    huge = written(tmp_path, f"(module (memory i64 {pages}))")
    with pytest.raises(InitialMemoryOverQuota, match=f"needs {pages * PAGE} bytes") as it:
        start(engine, huge, Quota(4 * PAGE))
    assert "no quota is so large" in it.value.remedy


@pytest.mark.parametrize(
    "holder",
    ["(global (ref $a) {constant})", "(table 10 (ref null $a) {constant})"],
)
def test_an_object_over_the_quota_that_a_constant_makes_is_over_the_quota(
    engine: Engine, tmp_path: Path, holder: str
) -> None:
    constant = "(array.new_default $a (i32.const 100000000))"
    text = f"(module (type $a (array i8)) {holder.format(constant=constant)})"
    with pytest.raises(InitialMemoryOverQuota, match=r"needs 1\d{8} bytes"):
        start(engine, written(tmp_path, text), Quota(4 * PAGE))


def test_the_elements_that_a_table_may_have_are_told_as_they_are(
    engine: Engine, tmp_path: Path
) -> None:
    two = written(tmp_path, "(module (table 1 funcref) (table 1025 funcref))")
    with pytest.raises(InitialTableOverQuota, match=r"at most 1024 elements .* to 2 tables"):
        start(engine, two, Quota(PAGE))


def test_tables_that_no_instance_makes_take_no_share_of_the_quota(
    engine: Engine, tmp_path: Path
) -> None:
    instances = "(core instance (instantiate $none))" * 400
    text = f"""(component (core module $none) (core module $one (table 5808 funcref))
      {instances} (core instance (instantiate $one)))"""
    start(engine, written(tmp_path, text), Quota(64 << 20))
