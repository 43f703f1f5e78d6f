"""What a memory begins with leaves a module only where the guest cannot tell."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wasmtime import Instance, Memory, Module, Trap, WasmtimeError

from atectl.capsule.data_segments import size_edit
from atectl.engine.metered import Engine, GuestControl
from tests.support.images import Instantiated, separated
from tests.support.wasm_bytes import MODULE_HEADER, binary_of, leb, section, vector

PAGE = 65_536


def plain_contents(engine: Engine, text: str, count: int = 1) -> list[bytes]:
    """What is in the exported memories `0`, `1` and so on, as the engine fills them by itself."""
    from atectl.accounting import Ledger, Meter, Principal, Quota
    from atectl.engine.memory import LeaseMemory

    store = engine.new_store(GuestControl())
    lease = LeaseMemory(Meter(Principal(), Quota(1 << 30), Ledger()))
    with engine.memories.charging(lease):
        exports = Instance(store, Module(engine.native, text), []).exports(store)
    memories = [exports[str(number)] for number in range(count)]
    found = []
    for memory in memories:
        assert isinstance(memory, Memory)
        found.append(bytes(memory.read(store)))
    store.close()
    return found


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('(memory (export "0") 1) (data (i32.const 3) "abc")', 1),
        ('(memory (export "0") 2) (data (i32.const 65530) "abcdefghijkl")', 1),
        ('(memory (export "0") 1) (data (i32.const 65533) "end")', 1),
        ('(memory (export "0") 1) (data (i32.const 5) "12345") (data (i32.const 7) "ab")', 1),
        ('(memory (export "0") 1) (data (i32.const 65536) "") (data (i32.const 1) "a")', 1),
        ('(memory (export "0") i64 2) (data (i64.const 65537) "wide")', 1),
        (
            '(memory (export "0") 1) (memory (export "1") 1) (data (memory 1) (i32.const 9) "b")'
            '(data (i32.const 9) "a")',
            2,
        ),
        (
            '(memory (export "0") 0) (memory (export "1") 1) (data (memory 1) (i32.const 9) "b")',
            2,
        ),
    ],
    ids=range(8),
)
def test_a_memory_begins_as_the_module_says(engine: Engine, text: str, count: int) -> None:
    apart = separated(f"(module {text})")
    assert apart is not None
    assert b"\x0b" + section(11, leb(0)) not in apart.binary
    assert Instantiated(engine, f"(module {text})").contents == plain_contents(
        engine, f"(module {text})", count
    )


def segment(at: int, content: bytes, *, is_passive: bool) -> str:
    offset = "" if is_passive else f"(i32.const {at})"
    return f'(data {offset} "{"".join(map(escaped, content))}")'


def escaped(byte: int) -> str:
    return f"\\{byte:02x}"


@given(
    segments=st.lists(
        st.tuples(st.integers(0, 4 * PAGE), st.binary(max_size=300), st.booleans()),
        min_size=1,
        max_size=12,
    ),
    names=st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_random_segments_begin_as_the_engine_has_them(
    engine: Engine, segments: list[tuple[int, bytes, bool]], names: bool
) -> None:
    parts = [
        segment(min(at, 4 * PAGE - len(content)), content, is_passive=is_passive)
        for at, content, is_passive in segments
    ]
    drop = '(func (export "drop") (data.drop 0))' if names else ""
    text = f'(module (memory (export "0") 4) {" ".join(parts)} {drop})'
    assert Instantiated(engine, text).contents == plain_contents(engine, text)


@pytest.mark.parametrize(
    "text",
    [
        '(memory 1) (data (i32.const 65534) "abc")',  # outside of it
        '(memory 1) (data (i32.const 0) "a") (data (i32.const 65537) "")',
        '(memory 1) (data (i32.const -1) "a")',
        '(memory i64 1) (data (i64.const -1) "a")',
        '(global i32 (i32.const 4)) (memory 1) (data (global.get 0) "a")',
        '(memory 1) (data (i32.const 0) "a") (data (i32.add (i32.const 1) (i32.const 2)) "b")',
        '(import "env" "memory" (memory 1)) (data (i32.const 0) "a")',
        '(memory 1 2 shared) (data (i32.const 0) "a")',
        '(memory 1) (data "passive")',
        '(memory 1) (data (i32.const 8) "")',
        '(memory 1000) (data (i32.const 0) "a") (data (i32.const 60000000) "b")',  # far apart
    ],
)
def test_what_the_guest_could_tell_stays_in_the_module(text: str) -> None:
    assert separated(f"(module {text})") is None


def test_a_memory_whose_data_stays_keeps_nobody_elses_in_the_module(engine: Engine) -> None:
    text = """(module (memory (export "0") 1) (memory (export "1") 1) (global i32 (i32.const 4))
      (data (global.get 0) "first") (data (memory 1) (i32.const 7) "second")
      (data (i32.const 5) "over"))"""
    instance = Instantiated(engine, text)
    assert instance.images is not None
    assert [each.image is None for each in instance.images.memories] == [True, False]
    assert instance.contents == plain_contents(engine, text, 2)


NAMES = """(module (memory (export "0") 1)
  (data $taken (i32.const 3) "abc") (data $passive "xyz") (data $empty (i32.const 9) "")
  (func (export "copy_taken") (param i32)
    (memory.init $taken (i32.const 100) (i32.const 0) (local.get 0)))
  (func (export "copy_empty") (param i32)
    (memory.init $empty (i32.const 100) (i32.const 0) (local.get 0)))
  (func (export "copy_passive") (param i32)
    (memory.init $passive (i32.const 100) (i32.const 0) (local.get 0)))
  (func (export "drop") (data.drop $taken))
  (func (export "read") (result i32) (i32.load (i32.const 100))))"""


@pytest.mark.parametrize("name", ["copy_taken", "copy_empty"])
def test_a_segment_that_code_names_is_as_if_it_had_been_copied(engine: Engine, name: str) -> None:
    instance = Instantiated(engine, NAMES)
    instance.call(name, 0)
    with pytest.raises(Trap, match="out of bounds"):
        instance.call(name, 1)
    instance.call("drop")
    instance.call(name, 0)


def test_code_still_names_the_same_segments(engine: Engine) -> None:
    instance = Instantiated(engine, NAMES)
    instance.call("copy_passive", 3)
    assert instance.call("read").to_bytes(4, "little") == b"xyz\0"


def test_the_start_function_and_element_segments_see_the_data(engine: Engine) -> None:
    text = """(module (memory (export "0") 1) (table 1 funcref) (elem (i32.const 0) $add)
      (data (i32.const 0) "\\05") (type $t (func))
      (func $add (i32.store8 (i32.const 1)
        (i32.add (i32.load8_u (i32.const 0)) (i32.load8_u (i32.const 1)))))
      (func $start (call_indirect (type $t) (i32.const 0))) (start $start))"""
    assert Instantiated(engine, text).contents[0][:2] == b"\5\5"


def test_an_invalid_module_stays_invalid(engine: Engine) -> None:
    memory, fits = section(5, vector(b"\0\1")), section(11, vector(b"\0\x41\0\x0b\1x"))
    too_wide = section(11, vector(b"\0\x41\x80\x80\x80\x80\x10\x0b\1x"))
    of_64 = section(11, vector(b"\0\x42\0\x0b\1x"))
    for parts in (
        [memory, section(12, leb(2)), fits],  # another count
        [memory, fits + fits],
        [fits, memory],
        [memory, too_wide],
        [memory, of_64],
        [fits],
        [memory, section(11, leb(2) + b"\0\x41\0\x0b\1x")],
        [memory, section(11, vector(b"\0\x41\0\x0b\1x") + b"\0")],
    ):
        binary = MODULE_HEADER + b"".join(parts)
        apart = separated(binary)
        with pytest.raises(WasmtimeError):
            Module.validate(engine.native, binary)
        if apart is not None:
            with pytest.raises(WasmtimeError):
                Module.validate(engine.native, apart.binary)


def test_little_data_is_left_where_it_is() -> None:
    from atectl.capsule.initial_content import separate
    from atectl.capsule.outline import MUCH_BYTES, MUCH_SEGMENTS

    few = "".join(f'(data (i32.const {n}) "x")' for n in range(MUCH_SEGMENTS - 1))
    for data, is_taken in (
        (few, False),
        (few + '(data (i32.const 99) "x")', True),
        (f'(data (i32.const 0) "{"x" * MUCH_BYTES}")', True),
    ):
        binary = binary_of(f"(module (memory 2) {data})")
        assert (separate(binary, "module") is not None) == is_taken


@given(before=st.integers(0, 2**32 - 1), share=st.floats(0, 1))
def test_a_smaller_size_takes_as_many_bytes(before: int, share: float) -> None:
    from atectl.capsule.binary import Reader

    after, width = int(before * share), len(leb(before))
    _, _, content = size_edit(0, width, after)
    assert len(content) == width
    assert Reader(content, 0, width).number() == after


def test_what_only_a_debugger_reads_is_left_out_too() -> None:
    from tests.support.wasm_bytes import custom

    binary = binary_of('(module (memory 1) (data (i32.const 0) "x"))')
    apart = separated(binary + custom(".debug_info", b"long") + custom("name", b""))
    plain = separated(binary)
    assert apart is not None
    assert plain is not None
    assert apart.binary == plain.binary + custom("name", b"")
