"""What is said of a guest that trapped, by real traps of the real engine."""

import pytest
import wasmtime
from wasmtime import component as wit

from atectl.accounting import Ledger, Meter, Principal, Quota
from atectl.engine import traps
from atectl.engine.memory import LeaseMemory
from atectl.engine.metered import Engine, GuestControl

ALLOCATES = """(module (type $a (array i8))
  (func (export "f") (drop (array.new_default $a (i32.const 0x0fffffff)))))"""
HASH = "17h0123456789abcdefE"


def engine(*, fuel: bool = False) -> wasmtime.Engine:
    config = wasmtime.Config()
    config.consume_fuel = fuel
    config.wasm_gc = config.wasm_function_references = config.wasm_exceptions = True
    return wasmtime.Engine(config)


def trap_of(wat: str, *, fuel: int | None = None) -> Exception:
    """What calling the export `f` of a module raises."""
    native = engine(fuel=fuel is not None)
    store = wasmtime.Store(native)
    if fuel is not None:
        store.set_fuel(fuel)
    function = wasmtime.Instance(store, wasmtime.Module(native, wat), []).exports(store)["f"]
    assert isinstance(function, wasmtime.Func)
    with pytest.raises((wasmtime.Trap, wasmtime.WasmtimeError)) as caught:
        function(store)
    return caught.value


def trap_of_component(body: str, *, fuel: int | None = None) -> Exception:
    """What calling a component's function with this body raises."""
    native = engine(fuel=fuel is not None)
    store = wasmtime.Store(native)
    if fuel is not None:
        store.set_fuel(fuel)
    component = wit.Component(
        native,
        f"""(component
          (core module $Core (func $a (export "f") {body}))
          (core instance $core (instantiate $Core))
          (func (export "f") (canon lift (core func $core "f"))))""",
    )
    function = wit.Linker(native).instantiate(store, component).get_func(store, "f")
    assert function is not None
    with pytest.raises(wasmtime.WasmtimeError) as caught:
        function(store)
    return caught.value


def body(text: str) -> str:
    return f'(module (memory 1) (table 1 funcref) (type $t (func)) (func (export "f") {text}))'


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("unreachable", "unreachable"),
        ("(call 0)", "stack overflow"),
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", "integer division by zero"),
        ("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", "integer overflow"),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", "invalid conversion to integer"),
        ("(drop (i32.load (i32.const -1)))", "memory out of bounds"),
        ("(drop (table.get (i32.const 9)))", "table out of bounds"),
        ("(call_indirect (type $t) (i32.const 9))", "table out of bounds"),
        ("(call_indirect (type $t) (i32.const 0))", "call of an uninitialized element"),
        ("(call_ref $t (ref.null $t))", "null reference"),
        ("(drop (ref.cast (ref i31) (ref.null any)))", "cast failure"),
        ("(drop (i32.atomic.load (i32.const 1)))", "unaligned atomic access"),
    ],
)
def test_each_trap_has_a_short_name(text: str, name: str) -> None:
    assert traps.describe(trap_of(body(text))).name == name


def test_an_indirect_call_of_another_type_is_named() -> None:
    error = trap_of("""(module (table funcref (elem $g)) (type $t (func (param i32)))
      (func $g) (func (export "f") (call_indirect (type $t) (i32.const 1) (i32.const 0))))""")
    assert traps.describe(error).name == "indirect call type mismatch"


def test_an_array_out_of_its_bounds_is_named() -> None:
    error = trap_of("""(module (type $a (array i8)) (func (export "f")
      (drop (array.get_u $a (array.new_default $a (i32.const 1)) (i32.const 1)))))""")
    assert traps.describe(error).name == "array out of bounds"


def test_an_exception_that_nothing_caught_is_named() -> None:
    error = trap_of('(module (tag) (func (export "f") (throw 0)))')
    assert traps.describe(error).name == "uncaught exception"
    assert traps.is_trap(error)


def test_a_full_gc_heap_is_a_trap_though_the_engine_calls_it_an_error() -> None:
    host = Engine()
    store = host.new_store(GuestControl())
    meter = Meter(Principal(), Quota(memory_bytes=1 << 20), Ledger())
    with host.memories.charging(LeaseMemory(meter)):
        module = wasmtime.Module(host.native, ALLOCATES)
        function = wasmtime.Instance(store, module, []).exports(store)["f"]
        assert isinstance(function, wasmtime.Func)
        with pytest.raises(wasmtime.WasmtimeError) as caught:
            function(store)
    error = caught.value
    report = traps.describe(error)
    assert not isinstance(error, wasmtime.Trap)
    assert traps.is_trap(error)
    assert report.name == "GC heap out of memory"
    assert report.reason.startswith("GC heap out of memory: no capacity")
    assert len(report.frames) == 1


def test_the_reason_is_the_engines_sentence() -> None:
    reason = traps.describe(trap_of(body("unreachable"))).reason
    assert reason == "wasm `unreachable` instruction executed"


def test_a_memory_fault_is_reported_with_its_address() -> None:
    reason = traps.describe(trap_of(body("(drop (i32.load (i32.const -1)))"))).reason
    assert reason == (
        "out of bounds memory access: "
        "memory fault at wasm address 0xffffffff in linear memory of size 0x10000"
    )


# Frames


def test_frames_are_innermost_first_with_module_and_offset() -> None:
    error = trap_of('(module $m (func $inner unreachable) (func $outer (export "f") (call 0)))')
    inner, outer = traps.describe(error).frames
    assert inner.startswith("0  inner  (m+0x")
    assert outer.startswith("1  outer  (m+0x")


def test_a_frame_without_names_has_its_functions_number_and_its_offset() -> None:
    (frame,) = traps.describe(trap_of(body("unreachable"))).frames
    assert frame.startswith("0  <wasm function 0>  (0x")


@pytest.mark.parametrize(
    ("mangled", "shown"),
    [
        (f"_ZN4core9panicking5panic{HASH}", "core::panicking::panic"),
        ("_ZN3app6Server4pollEv", "app::Server::poll()"),
        ("_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar"),
    ],
)
def test_mangled_names_are_demangled_without_their_hash(mangled: str, shown: str) -> None:
    error = trap_of(f'(module $m (func ${mangled} (export "f") unreachable))')
    assert traps.describe(error).frames[0].startswith(f"0  {shown}  (m+0x")


@pytest.mark.parametrize("name", ["a", "f", "i", "St", "main", "_start", "_Zebra"])
def test_plain_names_stay_as_they_are(name: str) -> None:
    error = trap_of(f'(module $m (func ${name} (export "f") unreachable))')
    assert traps.describe(error).frames[0].startswith(f"0  {name}  (m+0x")


def test_a_frame_whose_offset_the_engine_does_not_know_has_none() -> None:
    frames = traps.describe(trap_of('(module $m (func $deep (export "f") (call 0)))')).frames
    assert frames[0] == "0  deep  (m)"
    assert frames[1].startswith("1  deep  (m+0x")


def test_no_more_than_twenty_frames_of_a_deep_recursion_are_reported() -> None:
    assert len(traps.describe(trap_of(body("(call 0)"))).frames) == 20


def test_names_reach_the_terminal_on_one_line_and_inert() -> None:
    error = trap_of(r'(module (func (@name "a\0ab\1b[31m") (export "f") unreachable))')
    assert traps.describe(error).frames[0].startswith(r"0  a\nb\x1b[31m  (0x")


def test_a_name_of_a_kilobyte_is_cut() -> None:
    error = trap_of(f'(module (func ${"n" * 1024} (export "f") unreachable))')
    assert len(traps.describe(error).frames[0]) < 250


# Fuel


def test_a_guest_without_fuel_is_told_from_one_that_trapped() -> None:
    endless = '(module (func (export "f") (loop (br 0))))'
    assert traps.is_out_of_fuel(trap_of(endless, fuel=1000))
    assert traps.describe(trap_of(endless, fuel=1000)).name == "out of fuel"
    assert not traps.is_out_of_fuel(trap_of(body("unreachable"), fuel=1000))


def test_a_component_without_fuel_is_known_as_well() -> None:
    error = trap_of_component("(loop (br 0))", fuel=1000)
    assert not isinstance(error, wasmtime.Trap)
    assert traps.is_out_of_fuel(error)


def test_a_function_named_like_a_cause_is_not_believed() -> None:
    name = r"x\0a\0aCaused by:\0a    wasm trap: all fuel consumed by WebAssembly\0a"
    error = trap_of(f'(module (func (@name "{name}") (export "f") unreachable))')
    assert not traps.is_out_of_fuel(error)
    assert traps.describe(error).name == "unreachable"


# What is a trap


def test_a_components_trap_is_one() -> None:
    error = trap_of_component("unreachable")
    report = traps.describe(error)
    assert traps.is_trap(error)
    assert report.name == "unreachable"
    assert report.frames[0].startswith("0  a  (Core+0x")


def test_an_error_before_the_guest_ran_is_none() -> None:
    with pytest.raises(wasmtime.WasmtimeError) as caught:
        wasmtime.Module(engine(), "(module (func (unknown)))")
    assert not traps.is_trap(caught.value)


def test_an_error_of_ours_is_none() -> None:
    assert not traps.is_trap(ValueError("wasm backtrace"))
    assert not traps.is_out_of_fuel(ValueError("wasm trap: all fuel consumed by WebAssembly"))


def test_a_trap_made_by_the_host_is_described_by_its_message() -> None:
    assert traps.describe(wasmtime.Trap("the guest called proc_exit")) == (
        "the guest called proc_exit",
        "the guest called proc_exit",
        (),
    )


def test_a_name_ends_at_a_colon_but_not_within_brackets() -> None:
    for said, name in (
        ("Pointer not aligned to Region { start: 1, len: 4 }",) * 2,
        ("resource table: no such handle (index: 3)", "resource table"),
        ("closed } before: it opened {", "closed } before: it opened {"),
    ):
        assert traps.describe(wasmtime.Trap(said)).name == name


def test_a_trap_code_that_the_python_part_does_not_know_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(_: wasmtime.Trap) -> wasmtime.TrapCode:
        raise ValueError("999 is not a valid TrapCode")

    monkeypatch.setattr(wasmtime.Trap, "trap_code", property(unknown))
    assert traps.describe(trap_of(body("unreachable"))).name == "unreachable"
