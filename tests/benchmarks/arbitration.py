"""What an arbiter costs a growth, and how fast memory goes to disk and comes back."""

import subprocess
import time
from pathlib import Path
from statistics import median

import wasmtime

from atectl.accounting import Budget, Ledger, Meter, Principal, Quota
from atectl.arbiter import Arbiter
from atectl.arbitration import rules
from atectl.engine import Engine, GuestControl
from atectl.linear_memory import LeaseMemory
from atectl.spill import SpillArea
from tests.benchmarks.measuring import Row, seconds

LEASES = 100
GROWTHS = 20_000
ROUNDS = 7
SPILLED_BYTES = 256 << 20
_SPILL_ROUNDS = 3

_FILLED = f"""(module (memory (export "memory") {SPILLED_BYTES >> 16})
  (func (export "fill") (local $i i32)
    (loop $next
      (i32.store (local.get $i) (i32.add (local.get $i) (i32.const 1)))
      (local.set $i (i32.add (local.get $i) (i32.const 64)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const {SPILLED_BYTES})))))
  (func (export "touch") (local $i i32)
    (loop $next
      (i32.store (local.get $i) (i32.const 1))
      (local.set $i (i32.add (local.get $i) (i32.const 4096)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const {SPILLED_BYTES}))))))"""


class _Tenant:
    is_ending = False

    def abort(self, why: str) -> None:
        raise RuntimeError(why)

    def spill(self, area: SpillArea) -> int:
        raise RuntimeError("nothing is to be spilled")


def growths() -> list[Row]:
    """Microseconds that an arbiter adds to a growth, with a hundred leases, below soft."""
    arbiter = Arbiter(Budget(1 << 40), rules("both"), lambda: None)
    seats = [arbiter.register(_Tenant(), number) for number in range(LEASES)]

    def grow() -> float:
        began = time.perf_counter()
        for place in range(GROWTHS):
            seats[place % LEASES].admit(65_536)
        return time.perf_counter() - began

    cost_us = median(grow() for _ in range(ROUNDS)) / GROWTHS * 1e6
    return [Row("the arbiter, each growth", cost_us, " µs", 10, f"{LEASES} leases, below soft")]


def spilling(folder: Path) -> list[Row]:
    """Writing a memory and writing to every page of it again, beside `dd` on the same disk.

    `dd` goes past the page cache, or it would measure memory.
    """
    seed, file = folder / "seed", folder / "dd"
    blocks = ["bs=8M", f"count={SPILLED_BYTES >> 23}"]
    _timed_dd(["if=/dev/urandom", f"of={seed}", *blocks])
    ours, dd_writes, dd_reads = [], [], []
    for _ in range(_SPILL_ROUNDS):
        ours.append(_spill_and_touch(folder))
        dd_writes.append(_timed_dd([f"if={seed}", f"of={file}", "oflag=direct", *blocks]))
        dd_reads.append(_timed_dd([f"if={file}", "of=/dev/null", "iflag=direct", *blocks]))
        file.unlink()
    seed.unlink()
    spilled_s, touched_s = (median(each) for each in zip(*ours, strict=True))
    return [
        _beside_dd("spilling: time", spilled_s, median(dd_writes)),
        _beside_dd("coming back: time", touched_s, median(dd_reads)),
    ]


def _spill_and_touch(folder: Path) -> tuple[float, float]:
    """Seconds to spill a memory, and for its guest to touch every page of it again."""
    engine = Engine()
    memory = LeaseMemory(Meter(Principal(), Quota(SPILLED_BYTES), Ledger()))
    store = engine.new_store(GuestControl())
    with engine.memories.charging(memory):
        module = wasmtime.Module(engine.native, _FILLED)
        exports = wasmtime.Instance(store, module, []).exports(store)
        exports["fill"](store)  # type: ignore[operator]
        [spilled_s] = seconds(lambda: memory.spill(SpillArea(folder)), 1)
        [touched_s] = seconds(lambda: exports["touch"](store), 1)  # type: ignore[operator]
    store.close()
    engine.close()
    return spilled_s, touched_s


def _timed_dd(words: list[str]) -> float:
    [taken_s] = seconds(
        lambda: subprocess.run(["dd", *words], stderr=subprocess.DEVNULL, check=True), 1
    )
    return taken_s


def _beside_dd(what: str, ours_s: float, dd_s: float) -> Row:
    mebibytes = SPILLED_BYTES >> 20
    detail = f"{mebibytes / ours_s:.0f} MiB/s / {mebibytes / dd_s:.0f} MiB/s"
    return Row(what, ours_s / dd_s, "×", 2.0, detail)
