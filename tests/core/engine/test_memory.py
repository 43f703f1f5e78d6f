"""Every memory of a lease passes its meter, and nothing of it is left behind."""

import ctypes
from pathlib import Path

import pytest
from wasmtime import Instance, Module, Trap, WasmtimeError

from atectl.accounting import Ledger, Meter, Principal, Quota
from atectl.engine import mapped_memory
from atectl.engine.images import InitialMemories, InitialMemory
from atectl.engine.memory import Gate, LeaseMemory
from atectl.engine.metered import Engine, GuestControl
from atectl.errors import EngineFailure

PAGE = 65_536


class Guest:
    """One module, instantiated under a quota."""

    def __init__(
        self, engine: Engine, wat: str, quota_bytes: int, gate: Gate | None = None
    ) -> None:
        self.meter = Meter(Principal("guest"), Quota(quota_bytes), Ledger())
        self.lease = LeaseMemory(self.meter, gate=gate)
        self._engine = engine
        self.store = engine.new_store(GuestControl())
        module = Module(engine.native, wat)
        with engine.memories.charging(self.lease):
            self.exports = Instance(self.store, module, []).exports(self.store)

    def call(self, name: str, *arguments: int) -> object:
        with self._engine.memories.charging(self.lease):
            return self.exports[name](self.store, *arguments)  # type: ignore[operator]


PLAIN = """(module (memory (export "memory") 1)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "read") (param i32) (result i32) (i32.load (local.get 0))))"""

TWO = """(module (memory $a 1) (memory $b 1)
  (func (export "grow_a") (param i32) (result i32) (memory.grow $a (local.get 0)))
  (func (export "grow_b") (param i32) (result i32) (memory.grow $b (local.get 0))))"""

WIDE = """(module (memory i64 1)
  (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0))))"""

GARBAGE_COLLECTED = """(module (type $node (struct (field (ref null $node)) (field i64)))
  (func (export "chain") (param i32) (local $head (ref null $node)) (local $i i32)
    (loop $next
      (local.set $head (struct.new $node (local.get $head) (i64.const 1)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get 0))))))"""


def test_a_growth_within_the_quota_is_granted_and_charged(engine: Engine) -> None:
    guest = Guest(engine, PLAIN, 4 * PAGE)
    assert guest.call("grow", 3) == 1
    assert guest.meter.read().current_bytes == 4 * PAGE


def test_a_growth_beyond_the_quota_gives_the_guest_minus_one(engine: Engine) -> None:
    guest = Guest(engine, PLAIN, 4 * PAGE)
    assert guest.call("grow", 4) == -1
    reading = guest.meter.read()
    assert (reading.refused_growths, reading.largest_refused_bytes) == (1, 4 * PAGE)


def test_a_refused_guest_can_still_grow_by_less(engine: Engine) -> None:
    guest = Guest(engine, PLAIN, 4 * PAGE)
    guest.call("grow", 4)
    assert guest.call("grow", 3) == 1


def test_the_quota_holds_over_the_sum_of_two_memories(engine: Engine) -> None:
    guest = Guest(engine, TWO, 4 * PAGE)
    assert guest.call("grow_a", 1) == 1
    assert guest.call("grow_b", 2) == -1
    assert guest.call("grow_b", 1) == 1
    assert guest.meter.read().current_bytes == 4 * PAGE


def test_the_quota_holds_over_a_64_bit_memory(engine: Engine) -> None:
    guest = Guest(engine, WIDE, 4 * PAGE)
    assert guest.call("grow", 1 << 40) == -1
    assert guest.call("grow", 3) == 1


def test_a_quota_beyond_all_address_space_can_still_be_granted(engine: Engine) -> None:
    guest = Guest(engine, WIDE, 2**62)
    assert guest.call("grow", 15) == 1
    assert guest.call("grow", 1 << 30) == -1
    assert [type(failure) for failure in guest.lease.failures] == [OSError]
    assert guest.meter.read().peak_bytes == 16 * PAGE


def test_the_quota_holds_over_the_garbage_collected_heap(engine: Engine) -> None:
    guest = Guest(engine, GARBAGE_COLLECTED, 4 * PAGE)
    with pytest.raises(WasmtimeError, match="GC heap out of memory"):
        guest.call("chain", 1_000_000)
    reading = guest.meter.read()
    assert 0 < reading.peak_bytes <= 4 * PAGE
    assert reading.refused_growths > 0


def test_an_initial_memory_over_the_quota_is_refused_with_its_size(engine: Engine) -> None:
    meter = Meter(Principal("guest"), Quota(PAGE - 1), Ledger())
    lease = LeaseMemory(meter)
    store = engine.new_store(GuestControl())
    with engine.memories.charging(lease), pytest.raises(WasmtimeError, match="over the quota"):
        Instance(store, Module(engine.native, PLAIN), [])
    assert lease.initial_bytes_needed == PAGE
    assert meter.read().current_bytes == 0


def test_initial_memories_count_together(engine: Engine) -> None:
    with pytest.raises(WasmtimeError, match="over the quota"):
        Guest(engine, TWO, 2 * PAGE - 1)


def test_new_pages_are_zero_and_what_lies_beyond_traps(engine: Engine) -> None:
    guest = Guest(engine, PLAIN, 4 * PAGE)
    guest.call("grow", 1)
    assert guest.call("read", 2 * PAGE - 4) == 0
    with pytest.raises(Trap, match="out of bounds"):
        guest.call("read", 2 * PAGE)
    with pytest.raises(Trap, match="out of bounds"):
        guest.call("read", -4)


def test_a_shared_memory_is_not_to_be_had(engine: Engine) -> None:
    with pytest.raises(WasmtimeError, match="shared memory"):
        Guest(engine, "(module (memory 1 2 shared))", 4 * PAGE)


def test_a_memory_outside_any_lease_is_refused(engine: Engine) -> None:
    with pytest.raises(WasmtimeError, match="outside any lease"):
        Instance(engine.new_store(GuestControl()), Module(engine.native, PLAIN), [])


def test_what_the_system_refuses_is_kept_and_never_charged(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = Guest(engine, PLAIN, 4 * PAGE)
    monkeypatch.setattr(mapped_memory, "_mprotect", lambda *_: ctypes.set_errno(12) or 1)
    assert guest.call("grow", 1) == -1
    assert guest.meter.read().peak_bytes == PAGE
    assert [type(failure) for failure in guest.lease.failures] == [OSError]


class Bars:
    """A gate that lets `room_bytes` pass."""

    def __init__(self, room_bytes: int) -> None:
        self.room_bytes = room_bytes
        self.passed_bytes = 0

    def admit(self, added_bytes: int) -> bool:
        if added_bytes > self.room_bytes - self.passed_bytes:
            return False
        self.passed_bytes += added_bytes
        return True

    def give_back(self, freed_bytes: int) -> None:
        self.passed_bytes -= freed_bytes


def test_the_gate_is_asked_for_the_initial_memory_and_for_growth(engine: Engine) -> None:
    gate = Bars(3 * PAGE)
    guest = Guest(engine, PLAIN, 16 * PAGE, gate)
    assert gate.passed_bytes == PAGE
    assert guest.call("grow", 2) == 1
    assert guest.call("grow", 1) == -1
    assert guest.meter.read().refused_growths == 0, "that was not for its quota"
    assert gate.passed_bytes == 3 * PAGE


def test_the_gate_hears_nothing_of_what_the_quota_refuses(engine: Engine) -> None:
    gate = Bars(16 * PAGE)
    guest = Guest(engine, PLAIN, 2 * PAGE, gate)
    assert guest.call("grow", 2) == -1
    assert gate.passed_bytes == PAGE


def test_a_closed_gate_keeps_a_capsule_from_starting(engine: Engine) -> None:
    with pytest.raises(WasmtimeError, match="the lease is to end"):
        Guest(engine, PLAIN, 2 * PAGE, Bars(0))


def test_the_gate_is_given_back_what_could_not_be_opened(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Bars(16 * PAGE)
    guest = Guest(engine, PLAIN, 16 * PAGE, gate)
    monkeypatch.setattr(mapped_memory, "_mprotect", lambda *_: ctypes.set_errno(12) or 1)
    assert guest.call("grow", 1) == -1
    with pytest.raises(WasmtimeError, match="Cannot allocate memory"):
        Guest(engine, PLAIN, 16 * PAGE, gate)
    assert gate.passed_bytes == PAGE


def test_the_gate_is_given_back_all_when_the_store_ends(engine: Engine) -> None:
    gate = Bars(16 * PAGE)
    guest = Guest(engine, PLAIN, 16 * PAGE, gate)
    guest.call("grow", 3)
    guest.store.close()
    assert gate.passed_bytes == 0


def test_a_memory_is_charged_until_its_pages_are_given_up(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = Guest(engine, PLAIN, 16 * PAGE)
    guest.call("grow", 3)
    charged_bytes = []
    unmap = mapped_memory._munmap

    def unmap_slowly(*where: int) -> int:
        charged_bytes.append(guest.meter.read().current_bytes)
        return unmap(*where)

    monkeypatch.setattr(mapped_memory, "_munmap", unmap_slowly)
    guest.store.close()
    assert charged_bytes == [4 * PAGE]
    assert guest.meter.read().current_bytes == 0


def test_a_memory_that_cannot_be_opened_is_not_left_mapped(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = Module(engine.native, PLAIN)

    def fail_to_start() -> None:
        store = engine.new_store(GuestControl())
        lease = LeaseMemory(Meter(Principal("guest"), Quota(4 * PAGE), Ledger()))
        with (
            engine.memories.charging(lease),
            pytest.raises(WasmtimeError, match="Cannot allocate memory"),
        ):
            Instance(store, module, [])
        store.close()

    monkeypatch.setattr(mapped_memory, "_mprotect", lambda *_: ctypes.set_errno(12) or 1)
    fail_to_start()
    before = _mappings()
    for _ in range(20):
        fail_to_start()
    assert _mappings() <= before + 2


def test_an_exception_in_a_callback_is_kept_with_the_lease(engine: Engine) -> None:
    class Broken(Exception):
        pass

    def break_down() -> None:
        raise Broken("in the callback")

    guest = Guest(engine, PLAIN, PAGE)
    guest.lease.on_refusal = break_down
    assert guest.call("grow", 1) == -1
    assert [type(failure) for failure in guest.lease.failures] == [Broken]


def test_ten_thousand_leases_leave_mappings_and_resident_size_where_they_were() -> None:
    engine = Engine()
    module = Module(engine.native, PLAIN)

    def lease() -> None:
        store = engine.new_store(GuestControl())
        meter = Meter(Principal("guest"), Quota(16 * PAGE), Ledger())
        with engine.memories.charging(LeaseMemory(meter)):
            exports = Instance(store, module, []).exports(store)
            exports["grow"](store, 8)  # type: ignore[operator]
        assert meter.read().current_bytes == 9 * PAGE
        store.close()
        assert meter.read().current_bytes == 0

    for _ in range(500):
        lease()
    mappings, resident = _mappings(), _resident_bytes()
    for _ in range(10_000):
        lease()
    assert len(engine.memories) == 0
    assert _mappings() - mappings <= 4
    assert _resident_bytes() - resident < 4 << 20


def _mappings() -> int:
    return len(Path("/proc/self/maps").read_text().splitlines())


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_a_memory_made_out_of_its_turn_gets_no_image(engine: Engine) -> None:
    lease = LeaseMemory(Meter(Principal(), Quota(9 * PAGE), Ledger()))
    memories = (InitialMemory(2 * PAGE, None), InitialMemory(PAGE, None))
    store = engine.new_store(GuestControl())
    lease.expect(InitialMemories(-1, memories, is_owned=False))
    with engine.memories.charging(lease), pytest.raises(WasmtimeError, match="out of its turn"):
        Instance(store, Module(engine.native, TWO), [])
    assert [type(failure) for failure in lease.failures] == [EngineFailure]
    assert lease.meter.read().current_bytes == 0


def test_an_instance_without_all_its_memories_is_a_failure_of_the_engine() -> None:
    lease = LeaseMemory(Meter(Principal(), Quota(PAGE), Ledger()))
    lease.expect(InitialMemories(-1, (InitialMemory(PAGE, None),), is_owned=False))
    with pytest.raises(EngineFailure):
        lease.require_all_made()


def test_a_memory_of_no_size_has_no_turn(engine: Engine) -> None:
    lease = LeaseMemory(Meter(Principal(), Quota(9 * PAGE), Ledger()))
    lease.expect(InitialMemories(-1, (InitialMemory(PAGE, None),), is_owned=False))
    store = engine.new_store(GuestControl())
    with engine.memories.charging(lease):
        Instance(store, Module(engine.native, "(module (memory 0) (memory 1) (memory 0))"), [])
    lease.require_all_made()


def test_the_heap_of_garbage_collected_objects_has_no_turn(engine: Engine) -> None:
    text = GARBAGE_COLLECTED.replace("(func", "(memory 1) (func", 1)
    lease = LeaseMemory(Meter(Principal(), Quota(900 * PAGE), Ledger()))
    lease.expect(InitialMemories(-1, (InitialMemory(PAGE, None),), is_owned=False))
    store = engine.new_store(GuestControl())
    with engine.memories.charging(lease):
        exports = Instance(store, Module(engine.native, text), []).exports(store)
        lease.require_all_made()
        exports["chain"](store, 100)  # type: ignore[operator]
    assert len(lease._memories) == 2
