"""A component as its sections describe it: its world, what is in it, and what is wrong with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.capsule import component_reading, component_types
from atectl.capsule.binary import Reader
from atectl.capsule.component_facts import (
    MOST_BYTES,
    ComponentCounts,
    ComponentFacts,
    WorldEntry,
    WorldItem,
)
from atectl.capsule.component_reading import read_component as read
from atectl.capsule.component_types import MAX_LEVELS, MAX_TYPE_CHARACTERS
from atectl.capsule.names import Producer
from atectl.capsule.sections import Faults
from tests.support.wasm_bytes import (
    COMPONENT_HEADER,
    MODULE_HEADER,
    binary_of,
    custom,
    fixture,
    leb,
    name,
    section,
    vector,
)

RUN = "wasi:cli/run@0.2.0"


def facts_and_faults(content: bytes) -> tuple[ComponentFacts, Faults]:
    faults = Faults()
    return read(Reader(content, 8, len(content)), faults), faults


def facts_of(content: bytes | str) -> ComponentFacts:
    """The facts of a component that is whole."""
    facts, faults = facts_and_faults(binary_of(content) if isinstance(content, str) else content)
    assert faults.told == ()
    return facts


def imported(text: str) -> WorldEntry:
    """What a component whose only import is written so imports."""
    [entry] = facts_of(f"(component {text})").imports
    return entry


def function_type(parameters_and_results: str, types: str = "") -> str:
    """How an imported function's type is shown."""
    text = f'(component {types} (import "f" (func {parameters_and_results})))'
    return facts_of(text).imports[-1].type


# The world


def test_a_command_imports_interfaces_and_exports_its_entry_point() -> None:
    facts = facts_of(fixture("component"))
    assert [each.name for each in facts.imports] == [
        "wasi:io/error@0.2.0",
        "wasi:io/streams@0.2.0",
        "wasi:cli/stdout@0.2.0",
    ]
    assert {each.kind for each in facts.imports} == {"instance"}
    assert facts.imports[1].items == (
        WorldItem("output-stream", "resource", ""),
        WorldItem("error", "resource", ""),
        WorldItem("stream-error", "type", "variant { last-operation-failed(error), closed }"),
        WorldItem(
            "[method]output-stream.blocking-write-and-flush",
            "function",
            "(self: borrow<output-stream>, contents: list<u8>) -> result<_, stream-error>",
        ),
    )
    assert facts.exports == (
        WorldEntry(RUN, "instance", "", (WorldItem("run", "function", "() -> result"),)),
    )


def test_functions_are_exported_by_themselves_or_in_an_interface() -> None:
    assert facts_of(fixture("component-functions")).exports == (
        WorldEntry(
            "example:fixtures/numbers",
            "instance",
            "",
            (WorldItem("double", "function", "(number: u32) -> u32"),),
        ),
        WorldEntry("add", "function", "(a: u32, b: u32) -> u32", ()),
        WorldEntry("greet", "function", "(name: string) -> string", ()),
        WorldEntry("sum", "function", "(numbers: list<u32>) -> u32", ()),
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('(import "x" (func))', "function"),
        ('(import "x" (instance))', "instance"),
        ('(import "x" (component))', "component"),
        ('(import "x" (core module))', "core module"),
        ('(import "x" (type (sub resource)))', "resource"),
        ('(type $t (record (field "a" u8))) (import "x" (type (eq $t)))', "type"),
    ],
)
def test_anything_may_be_imported(text: str, kind: str) -> None:
    assert imported(text)[:2] == ("x", kind)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("", "()"),
        ('(param "a" bool)', "(a: bool)"),
        ('(param "a" s8) (param "b" u64) (result f32)', "(a: s8, b: u64) -> f32"),
        ('(param "a" char) (result string)', "(a: char) -> string"),
        ('(param "a" (list u8))', "(a: list<u8>)"),
        ('(param "a" (option s16))', "(a: option<s16>)"),
        ('(param "a" (tuple u8 f64))', "(a: tuple<u8, f64>)"),
        ("(result (result))", "() -> result"),
        ("(result (result u8))", "() -> result<u8>"),
        ("(result (result (error u8)))", "() -> result<_, u8>"),
        ("(result (result u16 (error string)))", "() -> result<u16, string>"),
        ('(param "a" (list (option (tuple u8 u8))))', "(a: list<option<tuple<u8, u8>>>)"),
    ],
)
def test_a_function_type_is_written_as_in_wit(written: str, shown: str) -> None:
    assert function_type(written) == shown


@pytest.mark.parametrize(
    ("defined", "shown"),
    [
        ('(record (field "x" f64) (field "y" f64))', "record { x: f64, y: f64 }"),
        ('(variant (case "dot") (case "many" (list u8)))', "variant { dot, many(list<u8>) }"),
        ('(enum "red" "green")', "enum { red, green }"),
        ('(flags "a" "b")', "flags { a, b }"),
        ("(tuple u8 s8)", "tuple<u8, s8>"),
        ("u32", "u32"),
    ],
)
def test_a_type_is_told_by_what_it_is_made_of_and_used_by_its_name(
    defined: str, shown: str
) -> None:
    facts = facts_of(
        f"""(component (import "shapes" (instance
          (type $d {defined}) (export "shape" (type $s (eq $d)))
          (export "draw" (func (param "s" $s))))))"""
    )
    assert facts.imports[0].items == (
        WorldItem("shape", "type", shown),
        WorldItem("draw", "function", "(s: shape)"),
    )


def test_resources_are_owned_by_name_or_borrowed() -> None:
    facts = facts_of(
        """(component (import "files" (instance (export "file" (type $f (sub resource)))
          (export "open" (func (result (own $f))))
          (export "close" (func (param "f" (borrow $f)))))))"""
    )
    assert facts.imports[0].items[1:] == (
        WorldItem("open", "function", "() -> file"),
        WorldItem("close", "function", "(f: borrow<file>)"),
    )


def test_a_type_of_one_interface_keeps_its_name_in_another() -> None:
    facts = facts_of(
        """(component
          (import "a" (instance $a (type $d (enum "x")) (export "kind" (type (eq $d)))))
          (alias export $a "kind" (type $k))
          (import "b" (instance (alias outer 1 $k (type $o)) (export "mine" (type $m (eq $o)))
            (export "f" (func (param "k" $m))))))"""
    )
    assert facts.imports[1].items == (
        WorldItem("mine", "type", "kind"),
        WorldItem("f", "function", "(k: mine)"),
    )


def test_what_a_nested_component_exports_is_known_where_it_is_exported_on() -> None:
    facts = facts_of(
        """(component
          (import "f" (func $f (param "a" u8)))
          (component $wraps (import "g" (func $g (param "a" u8))) (export "h" (func $g)))
          (instance $made (instantiate $wraps (with "g" (func $f))))
          (export "api" (instance $made)))"""
    )
    assert facts.exports == (
        WorldEntry("api", "instance", "", (WorldItem("h", "function", "(a: u8)"),)),
    )


def test_an_export_may_be_given_a_type_of_its_own() -> None:
    facts = facts_of(
        """(component (import "i" (instance $i (export "f" (func)) (export "g" (func))))
          (export "o" (instance $i) (instance (export "f" (func)))))"""
    )
    assert [item.name for item in facts.exports[0].items] == ["f"]


# What is in it


def test_core_modules_are_told_however_deep_they_are() -> None:
    facts = facts_of(
        """(component
          (core module $outer (memory 2) (func) (func))
          (component (core module $inner (import "a" "m" (memory 1)))))"""
    )
    assert [(each.name, each.functions) for each in facts.core_modules] == [
        ("outer", 2),
        ("inner", 0),
    ]
    assert facts.core_modules[0].memories[0].minimum_bytes == 131_072
    assert facts.core_modules[1].memories[0].is_imported


def test_a_core_module_is_where_it_is_said_to_be() -> None:
    content = fixture("component")
    for each in facts_of(content).core_modules:
        module = content[each.offset : each.offset + each.size_bytes]
        assert module.startswith(MODULE_HEADER)


def test_what_is_in_it_is_counted_nested_components_included() -> None:
    text = """(component
      (core module $m) (core instance (instantiate $m)) (core instance)
      (component $c (core module $m) (core instance (instantiate $m)))
      (instance (instantiate $c)) (instance (instantiate $c)))"""
    assert facts_of(text).counts == ComponentCounts(2, 1, 3, 2)


MEMORY = "(core module $m (memory 1)) (core instance (instantiate $m))"


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ("", 0),
        ("(core module (memory 5))", 0),
        (MEMORY, 1),
        (f"{MEMORY} (core instance (instantiate $m))", 2),
        (f"(component $c {MEMORY})", 0),
        (f"(component $c {MEMORY}) (instance (instantiate $c)) (instance (instantiate $c))", 2),
    ],
)
def test_memory_to_start_with_is_that_of_every_instance(text: str, pages: int) -> None:
    assert facts_of(f"(component {text})").initial_bytes == pages * 65_536


def test_instances_that_multiply_without_end_have_the_most_memory_there_is() -> None:
    text = f"(component $c0 {MEMORY})"
    for level in range(1, 70):
        text += f"(component $c{level} (alias outer 1 $c{level - 1} (component $below)) "
        text += "(instance (instantiate $below)) (instance (instantiate $below)))"
    facts = facts_of(f"(component {text} (instance (instantiate $c69)))")
    assert facts.initial_bytes == MOST_BYTES


def test_the_largest_table_is_that_of_any_module() -> None:
    text = "(component (core module (table 3 funcref)) (core module (table 7 funcref)))"
    assert facts_of(text).largest_table == 7


def test_its_name_its_tools_and_its_own_wit_are_told() -> None:
    producers = custom("producers", vector(name("processed-by") + vector(name("a") + name("1"))))
    module = MODULE_HEADER + producers + custom("component-type:prices", b"")
    content = (
        COMPONENT_HEADER
        + section(1, module)
        + custom("component-name", section(0, name("prices")))
        + custom("component-type", b"")
    )
    facts = facts_of(content)
    assert facts.name == "prices"
    assert facts.producers == (Producer("processed-by", "a", "1"),)
    assert facts.wit_sections == ("component-type:prices", "component-type")


def test_what_its_modules_use_it_uses() -> None:
    assert facts_of("(component (core module (memory i64 1)))").features == ("memory64",)


# What is wrong with it

WHOLE = fixture("component")


@pytest.mark.parametrize("length", range(8, len(WHOLE), 7))
def test_of_a_truncated_component_what_is_there_is_told(length: int) -> None:
    whole = facts_of(WHOLE)
    facts, faults = facts_and_faults(WHOLE[:length])
    assert facts.imports == whole.imports[: len(facts.imports)]
    assert len(facts.core_modules) <= len(whole.core_modules)
    assert faults.is_truncated == bool(faults.told)


def test_a_module_within_that_is_damaged_is_told_and_the_rest_read() -> None:
    damaged = MODULE_HEADER + section(1, leb(9))
    content = COMPONENT_HEADER + section(1, damaged) + section(1, MODULE_HEADER)
    facts, faults = facts_and_faults(content)
    assert faults.told == ("what its type section announces is not all there",)
    assert not faults.is_truncated
    assert facts.counts.core_modules == 2


def test_a_module_within_that_ends_too_early_does_not_make_the_file_truncated() -> None:
    cut = MODULE_HEADER + b"\x01\x7f"
    _, faults = facts_and_faults(COMPONENT_HEADER + section(1, cut) + section(1, MODULE_HEADER))
    assert faults.told == ("it ends within its type section, after 0 of 127 bytes",)
    assert not faults.is_truncated


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (section(7, vector(b"\x01")), "in its type section: unknown type 0x1"),
        (section(7, vector(b"\x40\x00\x05")), "in its type section: unknown result 5"),
        (section(7, vector(b"\x42" + vector(b"\x09"))), "unknown declaration 9"),
        (section(10, vector(b"\x00" + name("x") + b"\x09")), "unknown kind 9"),
        (section(10, vector(b"\x07" + name("x"))), "in its import section: unknown name"),
        (section(11, vector(b"\x00" + name("x") + b"\x0a\x00")), "unknown kind 10"),
        (section(6, vector(b"\x03\x07")), "in its alias section: unknown alias 7"),
        (section(6, vector(b"\x03\x02\x05\x00")), "refers to a component around it"),
        (section(8, vector(b"\x7f")), "unknown canonical function 0x7f"),
        (
            section(8, vector(b"\x00\x00\x00" + vector(b"\x33") + b"\x00")),
            "unknown canonical option",
        ),
        (section(1, COMPONENT_HEADER), "no core module at offset"),
        (section(4, MODULE_HEADER), "no component at offset"),
        (section(1, b"\0asm"), "what its core module section announces is not all there"),
    ],
)
def test_a_damaged_section_is_told(content: bytes, fault: str) -> None:
    _, faults = facts_and_faults(COMPONENT_HEADER + content)
    assert len(faults.told) == 1
    assert fault in faults.told[0]
    assert not faults.is_truncated


def test_behind_a_section_that_cannot_be_read_no_export_is_given_a_wrong_type() -> None:
    types = section(7, vector(b"\x40" + vector(name("a") + b"\x7d") + b"\x01\x00"))
    imports = section(10, vector(b"\x00" + name("f") + b"\x01\x00"))
    exports = section(11, vector(b"\x00" + name("g") + b"\x01\x00" + b"\x00"))
    readable = COMPONENT_HEADER + types + imports + exports
    assert facts_of(readable).exports[0].type == "(a: u8)"
    unreadable = section(8, vector(b"\x7f"))
    facts, _ = facts_and_faults(COMPONENT_HEADER + types + imports + unreadable + exports)
    assert facts.exports[0].type == "_"


# Bounds


def nested(levels: int) -> bytes:
    content = COMPONENT_HEADER
    for _ in range(levels):
        content = COMPONENT_HEADER + section(4, content)
    return content


def test_components_are_followed_so_deep_and_no_deeper() -> None:
    assert facts_of(nested(MAX_LEVELS)).counts.components == MAX_LEVELS
    _, faults = facts_and_faults(nested(MAX_LEVELS + 1))
    assert faults.told == (
        f"in its component section: it is nested more than {MAX_LEVELS} levels deep",
    )


def test_thousands_of_levels_are_no_trouble() -> None:
    _, faults = facts_and_faults(nested(3000))
    assert len(faults.told) == 1


def test_types_that_double_at_every_level_are_cut() -> None:
    doubling = [b"\x6f" + vector(b"\x73", b"\x73")]
    doubling += [b"\x6f" + vector(leb(level), leb(level)) for level in range(60)]
    function = b"\x40" + vector(name("a") + leb(60)[:1]) + b"\x01\x00"
    types = section(7, vector(*doubling, function))
    content = (
        COMPONENT_HEADER + types + section(10, vector(b"\x00" + name("f") + b"\x01" + leb(61)))
    )
    [entry] = facts_of(content).imports
    assert entry.type.startswith("(a: tuple<tuple<")
    assert len(entry.type) == MAX_TYPE_CHARACTERS


def test_more_types_than_any_component_has_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(component_types, "MAX_ENTITIES", 100)
    content = COMPONENT_HEADER + section(7, vector(*[b"\x7f"] * 200))
    _, faults = facts_and_faults(content)
    assert faults.told == ("it has more than 100 types and instances",)


def test_the_items_of_all_interfaces_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(component_reading, "MAX_LISTED_ITEMS", 5)
    one = '(import "{}" (instance (export "f" (func)) (export "g" (func))))'
    facts = facts_of(f"(component {''.join(one.format(f'i{n}') for n in range(4))})")
    assert [len(entry.items) for entry in facts.imports] == [2, 2, 1, 0]


any_sections = st.lists(st.builds(section, st.integers(0, 12), st.binary(max_size=60)), max_size=8)


@given(any_sections.map(b"".join) | st.binary(max_size=200))
def test_any_bytes_give_facts_and_perhaps_faults(content: bytes) -> None:
    facts, _ = facts_and_faults(COMPONENT_HEADER + content)
    assert facts.initial_bytes <= MOST_BYTES
