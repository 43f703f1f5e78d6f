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
from tests.support.loading import load

PAGE = 65_536


def start(engine: Engine, path: Path, quota: Quota) -> object:
    capsule, control = load(engine, path, None), GuestControl()
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
