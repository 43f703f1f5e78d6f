"""The store and the instance of a lease's guest, or the reason why it cannot start."""

import re
from typing import Any

from wasmtime import Store, Trap, WasmtimeError  # noqa: TID253

from atectl.accounting import Quota, charged_state_bytes
from atectl.capsule.mapped_capsule import MappedCapsule
from atectl.engine.memory import PAGE_BYTES, LeaseMemory
from atectl.engine.metered import Engine, GuestControl
from atectl.errors import (
    AtectlError,
    EngineFailure,
    InitialTableOverQuota,
    InvalidCapsule,
)
from atectl.lease.starting import over_quota
from atectl.units import format_size

_MEMORY_TOO_LARGE = r"memory minimum size of (\d+) pages exceeds memory limits"
_NO_GC_HEAP = "GC heap out of memory"
_MOST_TABLES = 10_000
"""By wasmtime's default a store holds no more tables than this."""
_TOO_MANY_TABLES = "table count too high"


def new_store(engine: Engine, capsule: MappedCapsule, quota: Quota, control: GuestControl) -> Store:
    """A store for one guest, with the quota's limits on tables and fuel. It is for this thread."""
    store = engine.new_store(control)
    elements = _elements_each(capsule, quota)
    store.set_limits(table_elements=elements, tables=_tables(capsule))
    if quota.fuel is not None:
        store.set_fuel(quota.fuel)
    return store


def instantiate(
    engine: Engine, capsule: MappedCapsule, store: Store, memory: LeaseMemory, control: GuestControl
) -> Any:
    """An instance of the capsule. Its memories and its state are charged to `memory`.

    Raises:
        Trap, WasmtimeError: its start function trapped, or was told to end.
        InitialMemoryOverQuota, InitialTableOverQuota: it needs more than its quota to start
            (exit 137).
        MissingImport, InvalidCapsule: an import cannot be met, or a memory cannot be metered
            (exit 126).
        OverBounds: it makes more instances or memories than a lease may (exit 137).
        EngineFailure: the system had no memory for it (exit 125).
    """
    code: Any = capsule.code
    linker = engine.shared_linker(capsule.kind)
    if capsule.creates.instances > engine.settings.bounds.instances:
        raise _over_bounds(engine, capsule, "instances")
    state_bytes = charged_state_bytes(capsule.creates.state_bytes)
    if state_bytes and not memory.hold_state(state_bytes):
        if memory.initial_bytes_needed is None:
            raise WasmtimeError("the lease is to end")
        raise over_quota(capsule, memory.initial_bytes_needed, memory.meter.quota)
    try:
        if control.ending is not None:
            raise WasmtimeError(control.ending)
        memory.expect(capsule.images)
        instance = linker.instantiate(store, code)
        memory.require_all_made()
        return instance
    except (Trap, WasmtimeError) as error:
        from atectl.engine.traps import is_trap

        if control.ending is None and not is_trap(error):
            raise _refusal(engine, capsule, memory, error) from None
        raise


def _refusal(
    engine: Engine, capsule: MappedCapsule, memory: LeaseMemory, error: Exception
) -> AtectlError:
    """The reason why the capsule could not be instantiated."""
    quota = memory.meter.quota
    if memory.initial_bytes_needed is not None:
        return over_quota(capsule, memory.initial_bytes_needed, quota)
    if memory.passed_bound is not None:
        return _over_bounds(engine, capsule, memory.passed_bound)
    if memory.failures:
        failure = memory.failures[0]
        if isinstance(failure, AtectlError):
            return failure
        return EngineFailure(
            getattr(failure, "strerror", None) or str(failure),
            remedy="raise the limit on address space (ulimit -v): a memory reserves 4 GiB",
        )
    from atectl.capsule.interface import require_imports

    require_imports(engine, capsule)
    return _refusal_by_engine(capsule, memory, " ".join(str(error).split()))


def _refusal_by_engine(capsule: MappedCapsule, memory: LeaseMemory, message: str) -> AtectlError:
    """The reason why the engine could not instantiate the capsule, from its message."""
    quota = memory.meter.quota
    if "shared memory" in message:
        return InvalidCapsule(
            f"{capsule.name} has a shared memory, which no quota can limit",
            remedy="build the capsule without threads",
        )
    too_large = re.search(_MEMORY_TOO_LARGE, message)
    if too_large is not None:
        return over_quota(capsule, int(too_large[1]) * PAGE_BYTES, quota)
    reading = memory.meter.read()
    if message.startswith(_NO_GC_HEAP) and reading.refused_growths:
        needed_bytes = reading.current_bytes + reading.largest_refused_bytes
        return over_quota(capsule, needed_bytes, quota)
    if _TOO_MANY_TABLES in message:
        return _too_many_tables(capsule)
    if "table" in message:
        return _tables_over_quota(capsule, quota, message)
    return EngineFailure(message)


def _over_bounds(engine: Engine, capsule: MappedCapsule, what: str) -> AtectlError:
    from atectl.system.walls.errors import OverBounds

    bounds = engine.settings.bounds
    if what == "reserved":
        size = format_size(bounds.reserved_bytes)
        said, remedy = f"reserves more than {size} of address space", "--max-reserved"
    else:
        said, remedy = f"makes more than {getattr(bounds, what)} {what}", f"--max-{what}"
    return OverBounds(f"{capsule.name} {said}, which is what a lease may", remedy=f"raise {remedy}")


def _too_many_tables(capsule: MappedCapsule) -> AtectlError:
    from atectl.system.walls.errors import OverBounds

    return OverBounds(
        f"{capsule.name} makes more than {_MOST_TABLES:,} tables, which is what a lease may",
        remedy="have it make fewer: no option raises that",
    )


def _tables_over_quota(capsule: MappedCapsule, quota: Quota, message: str) -> InitialTableOverQuota:
    tables, limit = _tables(capsule), format_size(quota.memory_bytes)
    shared = "" if tables < 2 else f", shared out to {tables} tables"
    return InitialTableOverQuota(
        f"{capsule.name}: {message}: at most {_elements_each(capsule, quota)} elements "
        f"under a quota of {limit}{shared}"
    )


def _elements_each(capsule: MappedCapsule, quota: Quota) -> int:
    """How many elements each of its tables may have: an equal share of what the quota allows."""
    return quota.table_elements // max(_tables(capsule), 1)


def _tables(capsule: MappedCapsule) -> int:
    return min(capsule.creates.tables, _MOST_TABLES)
