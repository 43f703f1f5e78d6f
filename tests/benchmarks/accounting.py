"""The ledger under ever-new principals, and what metering costs a guest."""

import itertools
import time
from contextlib import suppress
from statistics import median

import wasmtime

from atectl.accounting import MAX_PRINCIPALS, Ledger, Meter, Principal, Quota
from atectl.engine.memory import LeaseMemory
from atectl.engine.metered import Engine, GuestControl
from tests.benchmarks.measuring import Row
from tests.benchmarks.processes import CAPSULES

OBSERVATIONS = 100_000
ROUNDS = 7


def ledger() -> list[Row]:
    """Microseconds an observation, against a ledger that is full."""
    return [
        Row(
            "each newcomer displaces",
            _newcomers(rising=True),
            " µs",
            5,
            "the Rust original, measured apart: 58 µs",
        ),
        Row(
            "each newcomer is dropped",
            _newcomers(rising=False),
            " µs",
            2,
            "the Rust original, measured apart: 58 µs",
        ),
        Row(
            "ten known principals", _known(), " µs", 1, "the Rust original, measured apart: 0.04 µs"
        ),
    ]


def _newcomers(*, rising: bool) -> float:
    def observe() -> float:
        full = _full_ledger()
        names = [f"newcomer-{number}" for number in range(OBSERVATIONS)]
        began = time.perf_counter()
        for peak, name in enumerate(names, start=MAX_PRINCIPALS + 1):
            full.record_peak(name, peak if rising else 1)
        return time.perf_counter() - began

    return median(observe() for _ in range(ROUNDS)) / OBSERVATIONS * 1e6


def _known() -> float:
    full = _full_ledger()
    names = list(itertools.islice(itertools.cycle(f"p{n}" for n in range(10)), OBSERVATIONS))

    def observe() -> float:
        began = time.perf_counter()
        for peak, name in enumerate(names):
            full.record_peak(name, peak)
        return time.perf_counter() - began

    return median(observe() for _ in range(ROUNDS)) / OBSERVATIONS * 1e6


def _full_ledger() -> Ledger:
    full = Ledger()
    for number in range(MAX_PRINCIPALS):
        full.record_peak(f"p{number}", number + 1)
    return full


def metering() -> list[Row]:
    """The same guests on the metered engine and on a plain one."""
    loads, plain_loads = _in_turn("loads.wat")
    growths, plain_growths = _in_turn("growth8000.wat")
    return [
        Row(
            "200 million loads",
            loads / plain_loads,
            "×",
            1.02,
            f"{loads * 1000:.0f} ms / {plain_loads * 1000:.0f} ms",
        ),
        Row(
            "8,000 growths, each more",
            (growths - plain_growths) / 8000 * 1e6,
            " µs",
            8,
            f"{growths / 8000 * 1e6:.1f} µs / {plain_growths / 8000 * 1e6:.1f} µs",
        ),
    ]


def _in_turn(capsule: str) -> tuple[float, float]:
    metered, plain = [], []
    for _ in range(ROUNDS):
        metered.append(_metered(capsule))
        plain.append(_plain(capsule))
    return median(metered), median(plain)


def _metered(capsule: str) -> float:
    engine = Engine()
    module = wasmtime.Module.from_file(engine.native, str(CAPSULES / capsule))
    store = engine.new_store(GuestControl())
    store.set_wasi(wasmtime.WasiConfig())
    lease = LeaseMemory(Meter(Principal(), Quota(1 << 30), Ledger()))
    with engine.memories.charging(lease):
        taken = _time_start(engine.module_linker(), store, module)
    store.close()
    return taken


def _plain(capsule: str) -> float:
    config = wasmtime.Config()
    # Interruption is part of running a guest at all; what is compared is the metering.
    config.epoch_interruption = True
    engine = wasmtime.Engine(config)
    module = wasmtime.Module.from_file(engine, str(CAPSULES / capsule))
    store = wasmtime.Store(engine)
    store.set_epoch_deadline(1)
    store.set_wasi(wasmtime.WasiConfig())
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    return _time_start(linker, store, module)


def _time_start(linker: wasmtime.Linker, store: wasmtime.Store, module: wasmtime.Module) -> float:
    start = linker.instantiate(store, module).exports(store)["_start"]
    began = time.perf_counter()
    with suppress(wasmtime.Trap, wasmtime.ExitTrap):
        start(store)  # type: ignore[operator]
    return time.perf_counter() - began
