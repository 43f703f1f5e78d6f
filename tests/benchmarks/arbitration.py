"""What an arbiter costs a growth, and how fast memory goes to disk and comes back."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import wasmtime

from atectl.accounting import Budget, Ledger, Meter, Pressure, Principal, Quota
from atectl.arbitration.arbiter import Arbiter
from atectl.arbitration.deciding import decide_among
from atectl.arbitration.place import Place
from atectl.arbitration.policies import rules
from atectl.arbitration.roster import Roster
from atectl.arbitration.standing import Standing
from atectl.arbitration.view import Action, HostState
from atectl.arbitration.wording import Abortion
from atectl.engine.memory import LeaseMemory
from atectl.engine.metered import Engine, GuestControl
from atectl.spill.area import SpillArea
from tests.benchmarks.measuring import Row, seconds

LEASES = 100
GROWTHS = 20_000
ROUNDS = 7
HELD, DECISIONS = 4_000, 500
SPILLED_BYTES = 256 << 20
_SPILL_ROUNDS = 5

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
    principal, label, capsule_name = "default", "", "test"
    stored_bytes = 0

    def abort(self, abortion: Abortion) -> None:
        raise RuntimeError(abortion)

    def resident_bytes(self) -> int | None:
        return None

    def spill(self, area: SpillArea) -> None:
        raise RuntimeError("nothing is to be spilled")

    def woken(self) -> None:
        pass


def growths() -> list[Row]:
    """Microseconds that an arbiter adds to a growth that fits, with a hundred leases."""
    arbiter = Arbiter(Budget(1 << 40), rules("park"), lambda: None)
    places = [arbiter.register(_Tenant(), number) for number in range(LEASES)]
    for place in places:
        place.admit(65_536)
    calm_us = _each_growth_us(places)
    waiting = arbiter.register(_Tenant(), LEASES)
    waiting.admit((1 << 40) - (1 << 30))
    others_us = _each_growth_us(places)
    for place in places:
        place.leave()
    detail = f"{LEASES} leases, below soft"
    return [
        Row("the arbiter, each growth", calm_us, " µs", 10, detail),
        Row("the same while a lease is held", others_us, " µs", 10, detail),
    ]


def _each_growth_us(places: Sequence[Place]) -> float:
    def grow() -> float:
        began = time.perf_counter()
        for number in range(GROWTHS):
            places[number % LEASES].admit(65_536)
        return time.perf_counter() - began

    return median(grow() for _ in range(ROUNDS)) / GROWTHS * 1e6


def decisions() -> list[Row]:
    """Microseconds of one decision, with few and with many leases that wait for room."""
    few_us, many_us = (_each_decision_us(count) for count in (HELD // 40, HELD))
    detail = f"{few_us:.0f} µs with {HELD // 40}"
    return [Row(f"a decision while {HELD:,} leases are held", many_us, " µs", 200, detail)]


def _each_decision_us(held: int) -> float:
    """A lease ends and another that waited goes on, one begins and has to wait."""
    budget = Budget(held << 20)
    of_rules = rules("both")
    leases = Roster(order=of_rules.spill_order)
    granted = leave = 0
    for number in range(1, 2 * held + 1):
        leases.put(Standing(number, 0, 1 << 20))
        if granted < budget.soft_bytes:
            granted += 1 << 20
            leave = leave or number
        else:
            leases.put(Standing(number, 0, 0).ask(1 << 20).park())

    def decide(number: int) -> None:
        nonlocal granted, leave
        leases.put(Standing(number, 0, 0).ask(1 << 20))
        for free_bytes in (0, 1 << 20):
            granted -= free_bytes
            state = HostState(budget, Pressure(None, 0, granted), 1 << 50, 2)
            for made in decide_among(leases, state, of_rules):
                granted += made.bytes if made.action is Action.GRANT else 0
            if not free_bytes:
                leases.remove(leave)
                leave += 1

    began = time.perf_counter()
    for number in range(2 * held + 1, 2 * held + 1 + DECISIONS):
        decide(number)
    return (time.perf_counter() - began) / (2 * DECISIONS) * 1e6


class _Spilled(NamedTuple):
    """Seconds that it took."""

    written_s: float
    """To spill a memory, until it is on the disk."""
    freed_s: float
    """Of that, until its pages were free: what a guest's host waits for."""
    touched_s: float
    """Afterwards, to touch every page, from the disk."""


def spilling(folder: Path) -> list[Row]:
    """Writing a memory out and touching every page of it again, beside `dd` on the same disk.

    Both write until all is on the disk, and both read what the page cache does not have: else
    memory would be measured, and not the disk.
    """
    seed, file = folder / "seed", folder / "dd"
    blocks = ["bs=8M", f"count={SPILLED_BYTES >> 23}"]
    _timed_dd(["if=/dev/urandom", f"of={seed}", *blocks])
    ours, dd_writes, dd_reads = [], [], []
    for _ in range(_SPILL_ROUNDS):
        ours.append(_spill_and_touch(folder))
        dd_writes.append(_timed_dd([f"if={seed}", f"of={file}", "conv=fdatasync", *blocks]))
        _forget(file)
        dd_reads.append(_timed_dd([f"if={file}", "of=/dev/null", *blocks]))
        file.unlink()
    seed.unlink()
    written_s, freed_s, touched_s = (median(each) for each in zip(*ours, strict=True))
    return [
        _beside_dd("spilling, until it is on the disk: time", written_s, median(dd_writes), 2.0),
        _beside_dd("spilling, until the memory is free: time", freed_s, median(dd_writes), None),
        _beside_dd("coming back, from the disk: time", touched_s, median(dd_reads), 2.0),
    ]


def _spill_and_touch(folder: Path) -> _Spilled:
    engine = Engine()
    memory = LeaseMemory(Meter(Principal(), Quota(SPILLED_BYTES), Ledger()))
    store = engine.new_store(GuestControl())
    with engine.memories.charging(memory):
        module = wasmtime.Module(engine.native, _FILLED)
        exports = wasmtime.Instance(store, module, []).exports(store)
        exports["fill"](store)  # type: ignore[operator]
        [freed_s] = seconds(lambda: memory.spill(SpillArea(folder)), 1)
        [made] = [each.mapped for each in memory._memories]
        assert made._file is not None
        file = made._file.descriptor
        [synced_s] = seconds(lambda: os.fdatasync(file), 1)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        [touched_s] = seconds(lambda: exports["touch"](store), 1)  # type: ignore[operator]
    store.close()
    engine.close()
    return _Spilled(freed_s + synced_s, freed_s, touched_s)


def _forget(file: Path) -> None:
    """Have the page cache forget a file."""
    with file.open("rb") as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _timed_dd(words: list[str]) -> float:
    [taken_s] = seconds(
        lambda: subprocess.run(["dd", *words], stderr=subprocess.DEVNULL, check=True), 1
    )
    return taken_s


def _beside_dd(what: str, ours_s: float, dd_s: float, bound: float | None) -> Row:
    mebibytes = SPILLED_BYTES >> 20
    detail = f"{mebibytes / ours_s:.0f} MiB/s / {mebibytes / dd_s:.0f} MiB/s"
    return Row(what, ours_s / dd_s, "×", bound, detail)
