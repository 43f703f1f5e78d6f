"""The process that is measured as a host before any guest runs: see `atectl.budget.baseline`.

It reads JSON from stdin: the modules to import, here and in the process that forks for it, how long
a capsule may take to be instantiated, and each capsule with its smallest and largest quota. It
writes one JSON object to stdout.
"""

import json
import os
import sys
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atectl import config
from atectl.accounting import Ledger, Meter, Principal, Quota
from atectl.capsule.cache import ArtifactCache
from atectl.capsule.compiler import Compiler
from atectl.capsule.limits import CompileLimits
from atectl.capsule.loading import load
from atectl.engine.settings import DEFAULT_SETTINGS
from atectl.errors import (
    AtectlError,
    CacheUnusable,
    DeadlinePassed,
    EngineFailure,
    GuestTrapped,
    InitialMemoryOverQuota,
)
from atectl.system.apart import end_with_parent
from atectl.system.memory import resident_bytes

if TYPE_CHECKING:
    from wasmtime import Store

    from atectl.capsule.mapped_capsule import MappedCapsule
    from atectl.engine.metered import GuestControl

_LAST_WORD_S = 1.0
"""How long to wait for a guest that was told to end; during a host call it does not end."""


def main() -> None:
    """Instantiate the capsules, and report the memory of this process."""
    # The parent may be killed at any time, and a start function may compute for ever.
    end_with_parent()
    asked = json.load(sys.stdin)
    with Compiler(DEFAULT_SETTINGS, CompileLimits(*asked["compiling"])) as compiler:
        compiler.prepare(*asked["forked"])  # before there is another thread
        for module in asked["program"]:
            import_module(module)
        compiler.wait_until_prepared()
        answer = _answer(_Host(compiler, asked["start_s"]), asked["capsules"])
    json.dump(answer, sys.stdout)
    sys.stdout.flush()
    # A guest that still sleeps in a host call must not wake up while the interpreter shuts down.
    os._exit(0)


def _answer(host: "_Host", capsules: list[list[Any]]) -> dict[str, Any]:
    refusals = []
    for path, least_mem_bytes, max_mem_bytes in capsules:
        try:
            host.try_out(Path(path), least_mem_bytes, max_mem_bytes)
        except AtectlError as error:
            is_certain = not isinstance(error, DeadlinePassed)
            refusals.append([path, error.code, str(error), error.remedy, is_certain])
    return {
        "resident_bytes": host.resident_bytes(),
        "instantiated": len(host.stores),
        "refusals": refusals,
    }


class _Host:
    """A host with nothing in it, and an instance of each capsule that could be instantiated.

    A host has no engine, but the process that forks for it has one. The instances are made here,
    by an engine that was there before, so that only what they add counts.
    """

    def __init__(self, compiler: Compiler, start_s: float) -> None:
        self.stores: list[Store] = []
        self._start_s = start_s
        self._compiler = compiler
        self._idle_bytes = _sum(resident_bytes(), compiler.private_bytes())
        from atectl.engine.metered import Engine
        from atectl.lease import instantiating  # noqa: F401 - it is part of the engine's side

        self._engine = Engine(compiler.target)
        self._engine_bytes = resident_bytes()
        self._cache: ArtifactCache | None = None
        with suppress(CacheUnusable):
            self._cache = ArtifactCache.open(config.cache_dir(), max_bytes=config.cache_max_bytes())

    def resident_bytes(self) -> int | None:
        """What an idle host held, and the process that forks for it, and what instances added.

        A host, too, measures its baseline before anything is compiled.
        """
        held, before = resident_bytes(), self._engine_bytes
        if held is None or before is None:
            return None
        return _sum(self._idle_bytes, max(held - before, 0))

    def try_out(self, path: Path, least_mem_bytes: int, max_mem_bytes: int) -> None:
        """Load a capsule, check that it starts under its smallest quota, and keep an instance.

        Raises:
            AtectlError: it cannot be loaded or instantiated. If it starts only under its largest
                quota, its instance is kept nevertheless.
        """
        from atectl.capsule.mapped_capsule import load_mapped

        capsule = load_mapped(
            self._engine,
            self._cache,
            lambda: load(self._compiler.target, path, self._cache, self._compiler),
        )
        refusal: AtectlError | None = None
        if least_mem_bytes < max_mem_bytes:
            try:
                self._instantiate(capsule, least_mem_bytes).close()
            except DeadlinePassed:
                raise
            except AtectlError as error:
                refusal = error
        self.stores.append(self._instantiate(capsule, max_mem_bytes))
        if refusal is not None:
            raise refusal

    def _instantiate(self, capsule: "MappedCapsule", max_mem_bytes: int) -> "Store":
        """Instantiate a capsule. At most its start function runs."""
        made: list[Store] = []
        failures: list[AtectlError] = []
        from atectl.engine.metered import GuestControl

        control = GuestControl()

        def instantiate() -> None:
            try:
                made.append(self._instantiate_here(capsule, max_mem_bytes, control))
            except AtectlError as error:
                failures.append(error)
            except Exception as error:
                failures.append(EngineFailure(f"{capsule.name}: {error}"))

        thread = threading.Thread(target=instantiate, name=capsule.name, daemon=True)
        thread.start()
        thread.join(self._start_s)
        if thread.is_alive():
            control.ending = "deadline"
            self._engine.tick()
            thread.join(_LAST_WORD_S)
            raise DeadlinePassed(
                f"whether {capsule.name} can start is not known: its start function was still "
                f"running after {self._start_s:g} s",
                remedy="give its work to an export, which is called under a deadline",
            )
        if failures:
            raise failures[0]
        return made[0]

    def _instantiate_here(
        self, capsule: "MappedCapsule", max_mem_bytes: int, control: "GuestControl"
    ) -> "Store":
        from wasmtime import Trap, WasiConfig, WasmtimeError

        from atectl.engine.memory import LeaseMemory
        from atectl.lease.instantiating import instantiate, new_store

        quota = Quota(max_mem_bytes)
        memory = LeaseMemory(Meter(Principal(), quota, Ledger()))
        store = new_store(self._engine, capsule, quota, control)
        store.set_wasi(WasiConfig())
        with self._engine.memories.charging(memory):
            try:
                instantiate(self._engine, capsule, store, memory, control)
            except (Trap, WasmtimeError):
                raise GuestTrapped(f"{capsule.name} trapped in its start function") from None
            except InitialMemoryOverQuota as error:
                remedy = error.remedy.replace("the quota: --max-mem", "its max_mem to")
                raise InitialMemoryOverQuota(str(error), remedy=remedy) from None
        return store


def _sum(one: int | None, other: int) -> int | None:
    return None if one is None else one + other
