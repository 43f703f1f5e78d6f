"""The work of a process that finds out what a compiled capsule needs to start.

It instantiates the capsule under a meter, with nothing granted but memory: at first under what it
declares, then under more until it starts. Its own start function runs here and nowhere else.
"""

import json

from wasmtime import Trap, WasiConfig, WasmtimeError  # noqa: TID253

import atectl.capsule.interface
import atectl.engine.traps  # noqa: F401 - these two may be needed where nothing can be opened
from atectl.accounting import Ledger, Meter, Principal, Quota
from atectl.capsule.artifact_file import copy_code, map_code
from atectl.capsule.compile_child import CAPSULE, close_the_door
from atectl.capsule.creation import Creation
from atectl.capsule.loading import Capsule
from atectl.capsule.mapped_capsule import MappedCapsule
from atectl.capsule.phase import show_phase
from atectl.capsule.task import Task
from atectl.engine.memory import LeaseMemory
from atectl.engine.metered import Engine, GuestControl
from atectl.errors import (
    AtectlError,
    EngineFailure,
    GuestTrapped,
    InitialMemoryOverQuota,
    InitialTableOverQuota,
)
from atectl.lease.instantiating import instantiate, new_store
from atectl.load.start import Question, Start
from atectl.records.as_json import as_json

PAGE_BYTES = 65_536


def work(engine: Engine, task: Task) -> bytes:
    """A `Start`, as JSON."""
    show_phase("start")
    asked = Question(*json.loads(task.work.told))
    if task.sharing:  # it is small, and a task before may have closed the door
        mapped = copy_code(engine, asked.kind, CAPSULE)
    else:
        mapped = map_code(engine, asked.kind, CAPSULE)
    if mapped is None:
        raise RuntimeError("the engine cannot take what it compiled")
    engine.shared_linker(asked.kind)
    close_the_door()
    kind, creates, has_start = asked[:3]
    known = Capsule(task.name, kind, "", Creation(*creates), has_start, was_cached=True)
    capsule = MappedCapsule(known, *mapped)
    try:
        start = Start(_smallest(engine, capsule, asked))
    except AtectlError as error:
        start = Start(None, True, error.code, str(error))
    return json.dumps(as_json(start)).encode()


def _smallest(engine: Engine, capsule: MappedCapsule, asked: Question) -> int | None:
    """The smallest quota that it starts under, to the byte if that is what it declares."""
    too_small, quota = 0, asked.least_bytes
    while quota <= asked.most_bytes:
        needed = _needed(engine, capsule, quota)
        if needed is None:
            break
        too_small, quota = quota, max(needed, 2 * quota, PAGE_BYTES)
    else:
        return None
    if not too_small:
        return quota
    while quota - too_small > PAGE_BYTES:
        middle = (too_small + quota) // 2 // PAGE_BYTES * PAGE_BYTES
        if middle <= too_small:
            break
        if _needed(engine, capsule, middle) is None:
            quota = middle
        else:
            too_small = middle
    return quota


def _needed(engine: Engine, capsule: MappedCapsule, quota_bytes: int) -> int | None:
    """None if it starts under this quota; what it needs at least if that is more.

    Raises:
        AtectlError: it would start under no quota.
    """
    quota = Quota(quota_bytes)
    meter = Meter(Principal(), quota, Ledger())
    memory, control = LeaseMemory(meter), GuestControl()
    store = new_store(engine, capsule, quota, control)
    store.set_wasi(WasiConfig())
    try:
        with engine.memories.charging(memory):
            instantiate(engine, capsule, store, memory, control)
    except (InitialMemoryOverQuota, InitialTableOverQuota):
        return max(memory.initial_bytes_needed or 0, quota_bytes + 1)
    except (Trap, WasmtimeError) as error:
        if meter.read().refused_growths:
            return quota_bytes + 1
        if control.exit_code is not None:
            raise GuestTrapped(f"{capsule.name} exits in its start function") from None
        *_, reason = ["no reason given", *filter(str.strip, str(error).splitlines())]
        raise GuestTrapped(
            f"{capsule.name} traps in its start function: {reason.strip()}"
        ) from None
    except EngineFailure:
        if meter.read().refused_growths:
            return quota_bytes + 1
        raise
    finally:
        store.close()
    return None
