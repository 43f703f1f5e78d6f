"""A test whether this engine is metered: one growth must be counted, another refused."""

from typing import NamedTuple

import wasmtime  # noqa: TID253

from atectl.accounting import Ledger, Meter, Principal, Quota
from atectl.engine.memory import LeaseMemory
from atectl.engine.metered import Engine, GuestControl
from atectl.errors import EngineUntrusted


class SelfTest(NamedTuple):
    """What was measured of a guest that grew within its quota, and tried to grow beyond it."""

    quota_bytes: int
    granted_bytes: int
    refused_growths: int


_GROWS = """(module (memory (export "memory") 1)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"""


def self_test() -> SelfTest:
    """Check that a growth is counted, and that a refused one does not happen.

    Raises:
        EngineUntrusted: that is not so (exit 125).
    """
    engine = Engine()
    meter = Meter(Principal(), Quota(memory_bytes=4 * 65_536), Ledger())
    store = engine.new_store(GuestControl())
    with engine.memories.charging(LeaseMemory(meter)):
        module = wasmtime.Module(engine.native, _GROWS)
        grow = wasmtime.Instance(store, module, []).exports(store)["grow"]
        answers = [grow(store, 3), grow(store, 1)]  # type: ignore[operator]
    reading = meter.read()
    store.close()
    seen = SelfTest(4 * 65_536, reading.grown_bytes, reading.refused_growths)
    if answers != [1, -1] or seen.granted_bytes != seen.quota_bytes or seen.refused_growths != 1:
        raise EngineUntrusted(f"a test guest got {answers} for [1, -1]: {seen}")
    if len(engine.memories):
        raise EngineUntrusted("a memory outlived its store")
    engine.close()
    return seen
