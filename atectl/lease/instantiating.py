"""A store and an instance for a lease's guest, and why there is none if it cannot start."""

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
    """A store for one guest, on the calling thread, with the quota's tables and fuel."""
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
        Trap, WasmtimeError: its start function did not return, or was ended.
        InitialMemoryOverQuota, InitialTableOverQuota: it needs more than its quota to start
            (exit 137).
        MissingImport, InvalidCapsule: an import cannot be met, or a memory not be metered
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
    """Why the capsule could not be instantiated, from what went wrong and what the engine said."""
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
            f"{capsule.name} has a shared memory, which no quota could be held over",
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
