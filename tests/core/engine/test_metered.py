"""The engine meters, ends guests at a tick, and gives back what it took."""

import threading

import pytest
from wasmtime import Instance, Module, WasmtimeError

from atectl.accounting import Ledger, Meter, Principal, Quota
from atectl.engine.memory import LeaseMemory, MemoryCreator
from atectl.engine.metered import Engine, GuestControl
from atectl.engine.selftest import self_test
from atectl.engine.settings import EngineSettings
from atectl.errors import EngineUntrusted

SPINS = '(module (func (export "spin") (loop $forever (br $forever))))'
ADDS = """(module (func (export "add") (param i32 i32) (result i32)
  (i32.add (local.get 0) (local.get 1))))"""


def test_the_self_test_sees_a_growth_and_a_refusal() -> None:
    seen = self_test()
    assert (seen.granted_bytes, seen.refused_growths) == (seen.quota_bytes, 1)


def test_the_self_test_fails_where_growth_is_not_metered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryCreator, "install", lambda *_: None)
    with pytest.raises(EngineUntrusted):
        self_test()


def test_the_self_test_fails_where_a_refusal_does_not_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Meter, "admit", lambda *_: True)
    with pytest.raises(EngineUntrusted):
        self_test()


def test_a_tick_leaves_a_guest_alone_that_is_not_to_end() -> None:
    engine, control = Engine(), GuestControl()
    store = engine.new_store(control)
    exports = Instance(store, Module(engine.native, ADDS), []).exports(store)
    for _ in range(3):
        engine.tick()
        assert exports["add"](store, 2, 40) == 42  # type: ignore[operator]


def test_a_tick_ends_a_guest_that_is_to_end_with_the_reason() -> None:
    engine, control = Engine(), GuestControl()
    store = engine.new_store(control)
    spin = Instance(store, Module(engine.native, SPINS), []).exports(store)["spin"]

    def end() -> None:
        control.ending = "enough"
        engine.tick()

    threading.Timer(0.05, end).start()
    with pytest.raises(WasmtimeError, match="enough"):
        spin(store)  # type: ignore[operator]


def test_guests_on_two_threads_are_charged_apart() -> None:
    engine = Engine()
    grows = Module(
        engine.native,
        '(module (memory 1) (func (export "grow") (param i32)'
        " (result i32) (memory.grow (local.get 0))))",
    )
    meters = [Meter(Principal(f"p{n}"), Quota(100 * 65_536), Ledger()) for n in range(4)]

    def lease(number: int) -> None:
        store = engine.new_store(GuestControl())
        with engine.memories.charging(LeaseMemory(meters[number])):
            exports = Instance(store, grows, []).exports(store)
            for _ in range(50):
                exports["grow"](store, number % 2)  # type: ignore[operator]

    threads = [threading.Thread(target=lease, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [meter.read().peak_bytes // 65_536 for meter in meters] == [1, 51, 1, 51]


def test_the_fingerprint_tells_engines_apart_whose_code_differs() -> None:
    assert Engine().fingerprint == Engine(EngineSettings(max_stack_bytes=1 << 20)).fingerprint
    assert Engine().fingerprint != Engine(EngineSettings(burns_fuel=True)).fingerprint
    assert "50." in Engine().fingerprint
