"""The store and the instance of a lease's guest, or the reason why it cannot start."""

from typing import Any

from wasmtime import Store, Trap, WasmtimeError  # noqa: TID253

from atectl.accounting import Quota
from atectl.capsule.loading import Capsule
from atectl.engine.memory import LeaseMemory
from atectl.engine.metered import Engine, GuestControl
from atectl.errors import (
    AtectlError,
    EngineFailure,
    InitialMemoryOverQuota,
    InitialTableOverQuota,
    InvalidCapsule,
)
from atectl.units import format_size


def new_store(engine: Engine, capsule: Capsule, quota: Quota, control: GuestControl) -> Store:
    """A store for one guest, with the quota's limits on tables and fuel. It is for this thread."""
    tables = capsule.table_bound
    store = engine.new_store(control)
    store.set_limits(table_elements=quota.table_elements // max(tables, 1), tables=tables)
    if quota.fuel is not None:
        store.set_fuel(quota.fuel)
    return store


def instantiate(
    engine: Engine, capsule: Capsule, store: Store, memory: LeaseMemory, control: GuestControl
) -> Any:
    """An instance of the capsule, whose memories are charged to `memory`.

    Raises:
        Trap, WasmtimeError: its start function trapped, or was told to end.
        InitialMemoryOverQuota, InitialTableOverQuota: it needs more than its quota to start
            (exit 137).
        MissingImport, InvalidCapsule: an import cannot be met, or a memory cannot be metered
            (exit 126).
        EngineFailure: the system had no memory for it (exit 125).
    """
    code: Any = capsule.code
    linker = engine.shared_linker(capsule.kind)
    try:
        if control.ending is not None:
            raise WasmtimeError(control.ending)
        return linker.instantiate(store, code)
    except (Trap, WasmtimeError) as error:
        from atectl.engine.traps import is_trap

        if control.ending is None and not is_trap(error):
            raise _refusal(engine, capsule, memory, error) from None
        raise


def _refusal(
    engine: Engine, capsule: Capsule, memory: LeaseMemory, error: Exception
) -> AtectlError:
    """The reason why the capsule could not be instantiated."""
    quota = memory.meter.quota
    if memory.initial_bytes_needed is not None:
        return _over_quota(capsule, memory.initial_bytes_needed, quota)
    if memory.failures:
        failure = memory.failures[0]
        return EngineFailure(
            getattr(failure, "strerror", None) or str(failure),
            remedy="raise the limit on address space (ulimit -v): a memory reserves 4 GiB",
        )
    from atectl.capsule.interface import require_imports

    require_imports(engine, capsule)
    message = " ".join(str(error).split())
    if "shared memory" in message:
        return InvalidCapsule(
            f"{capsule.name} has a shared memory, which no quota can limit",
            remedy="build the capsule without threads",
        )
    if "table" in message:
        return InitialTableOverQuota(
            f"{message}: at most {quota.table_elements} elements "
            f"under a quota of {format_size(quota.memory_bytes)}"
        )
    return EngineFailure(message)


def _over_quota(capsule: Capsule, needed_bytes: int, quota: Quota) -> InitialMemoryOverQuota:
    needed, limit = format_size(needed_bytes), format_size(quota.memory_bytes)
    return InitialMemoryOverQuota(
        f"{capsule.name} needs {needed_bytes} bytes ({needed}) to start; "
        f"its quota is {quota.memory_bytes} bytes ({limit})",
        remedy=f"raise the quota: --max-mem {needed} or more",
    )
