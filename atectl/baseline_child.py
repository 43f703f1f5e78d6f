"""The process that stands for a host before any guest runs: see `atectl.baseline`.

Reads on stdin, as JSON, the modules to import and each capsule with its quota; writes one JSON
object to stdout.
"""

import json
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from wasmtime import Store, Trap, WasiConfig, WasmtimeError  # noqa: TID253

from atectl import config
from atectl.accounting import Ledger, Meter, Principal, Quota
from atectl.artifact_cache import ArtifactCache
from atectl.capsule import Capsule, load
from atectl.capsule_interface import require_imports
from atectl.engine import Engine, GuestControl
from atectl.errors import (
    AtectlError,
    CacheUnusable,
    EngineFailure,
    GuestTrapped,
    InitialMemoryOverQuota,
)
from atectl.host_memory import resident_bytes
from atectl.linear_memory import LeaseMemory
from atectl.traps import is_trap
from atectl.units import format_size


def main() -> None:
    """Instantiate what is asked for, and tell what this process holds then."""
    asked = json.load(sys.stdin)
    for module in asked["program"]:
        import_module(module)
    host = _Host()
    refusals = []
    for path, max_mem_bytes in asked["capsules"]:
        try:
            host.instantiate(Path(path), max_mem_bytes)
        except AtectlError as error:
            refusals.append([path, error.code, str(error), error.remedy])
    answer = {
        "resident_bytes": resident_bytes(),
        "instantiated": len(host.stores),
        "compiled": host.has_compiled,
        "refusals": refusals,
    }
    json.dump(answer, sys.stdout)


class _Host:
    """An engine, and an instance of each capsule that could be instantiated."""

    def __init__(self) -> None:
        self.stores: list[Store] = []
        self.has_compiled = False
        self._engine = Engine()
        self._cache: ArtifactCache | None = None
        with suppress(CacheUnusable):
            self._cache = ArtifactCache.open(config.cache_dir(), max_bytes=config.cache_max_bytes())

    def instantiate(self, path: Path, max_mem_bytes: int) -> None:
        """Load a capsule and instantiate it, which runs at most its own start function."""
        capsule = load(self._engine, path, self._cache)
        self.has_compiled |= not capsule.was_cached and capsule.cache_error is None
        quota = Quota(max_mem_bytes)
        memory = LeaseMemory(Meter(Principal(), quota, Ledger()))
        store = self._engine.new_store(GuestControl())
        tables = capsule.table_bound
        store.set_limits(table_elements=quota.table_elements // max(tables, 1), tables=tables)
        store.set_wasi(WasiConfig())
        is_module = capsule.kind == "module"
        linker = self._engine.module_linker() if is_module else self._engine.component_linker()
        code: Any = capsule.code
        with self._engine.memories.charging(memory):
            try:
                linker.instantiate(store, code)
            except (Trap, WasmtimeError) as error:
                raise self._refusal(capsule, memory, error) from None
        self.stores.append(store)

    def _refusal(self, capsule: Capsule, memory: LeaseMemory, error: Exception) -> AtectlError:
        """Why the capsule could not be instantiated."""
        if memory.refused_initial_bytes is not None:
            needed = memory.meter.read().current_bytes + memory.refused_initial_bytes
            quota_bytes = memory.meter.quota.memory_bytes
            return InitialMemoryOverQuota(
                f"{capsule.name} needs {needed} bytes ({format_size(needed)}) to start; "
                f"its quota is {quota_bytes} bytes ({format_size(quota_bytes)})",
                remedy=f"raise its max_mem to {format_size(needed)} or more",
            )
        if is_trap(error):
            return GuestTrapped(f"{capsule.name} trapped in its start function")
        try:
            require_imports(self._engine, capsule)
        except AtectlError as missing:
            return missing
        return EngineFailure(f"{capsule.name}: {' '.join(str(error).split())}")
