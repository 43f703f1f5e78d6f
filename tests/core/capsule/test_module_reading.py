"""A core module as its sections describe it: what it has, of which types, and what is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.capsule import binary, sections
from atectl.capsule.binary import Reader
from atectl.capsule.core_types import MAX_TYPE_CHARACTERS
from atectl.capsule.module_facts import Counts, Export, Import, Memory, ModuleFacts, Table
from atectl.capsule.module_reading import read_module as read
from atectl.capsule.names import Names, Producer
from atectl.capsule.sections import MAX_LISTED, Faults, Section
from tests.support.wasm_bytes import (
    MODULE_HEADER,
    binary_of,
    custom,
    leb,
    name,
    section,
    vector,
)


def facts_and_faults(content: bytes) -> tuple[ModuleFacts, Faults]:
    faults = Faults()
    return read(Reader(content, 8, len(content)), faults), faults


def facts_of(content: bytes | str) -> ModuleFacts:
    """The facts of a module that is whole."""
    facts, faults = facts_and_faults(binary_of(content) if isinstance(content, str) else content)
    assert faults.told == ()
    return facts


def faults_of(content: bytes) -> tuple[str, ...]:
    return facts_and_faults(content)[1].told


# What it has


def test_imports_have_their_names_kinds_and_types() -> None:
    facts = facts_of(
        """(module
          (import "a" "f" (func (param i32 i64) (result f32)))
          (import "a" "t" (table 1 5 externref))
          (import "a" "m" (memory 2))
          (import "b" "g" (global (mut f64)))
          (import "b" "e" (tag (param i32))))"""
    )
    assert facts.imports == (
        Import("a", "f", "function", "(i32, i64) -> f32"),
        Import("a", "t", "table", "externref, 1 to 5 elements"),
        Import("a", "m", "memory", "2 pages or more"),
        Import("b", "g", "global", "mut f64"),
        Import("b", "e", "tag", "(i32)"),
    )
    assert facts.initial_bytes == facts.largest_table == 0


def test_exports_have_the_types_of_what_they_name_imported_or_not() -> None:
    facts = facts_of(
        """(module
          (import "a" "f" (func $f (param i64)))
          (import "a" "g" (global $g i32))
          (func $h (result i32 i32) unreachable)
          (memory $m 1 1) (table $t 3 funcref) (global $k (mut i64) (i64.const 5)) (tag $e)
          (export "f" (func $f)) (export "h" (func $h)) (export "m" (memory $m))
          (export "t" (table $t)) (export "g" (global $g)) (export "k" (global $k))
          (export "e" (tag $e)))"""
    )
    assert facts.exports == (
        Export("f", "function", "(i64)"),
        Export("h", "function", "() -> (i32, i32)"),
        Export("m", "memory", "1 page"),
        Export("t", "table", "funcref, 3 elements or more"),
        Export("g", "global", "i32"),
        Export("k", "global", "mut i64"),
        Export("e", "tag", "()"),
    )


def test_memories_and_tables_have_their_bounds_in_bytes_and_elements() -> None:
    facts = facts_of(
        """(module (import "a" "m" (memory 1 2))
          (memory 3) (memory i64 1 16) (memory 1 1 shared)
          (table 4 funcref) (table i64 1 2 externref))"""
    )
    kib = 1024
    assert facts.memories == (
        Memory(64 * kib, 128 * kib, True, False, False, 65536),
        Memory(192 * kib, None, False, False, False, 65536),
        Memory(64 * kib, 1024 * kib, False, False, True, 65536),
        Memory(64 * kib, 64 * kib, False, True, False, 65536),
    )
    assert facts.tables == (
        Table("funcref", 4, None, False, False),
        Table("externref", 1, 2, False, True),
    )
    assert facts.initial_bytes == 320 * kib
    assert facts.largest_table == 4


def test_pages_may_be_of_another_size() -> None:
    content = MODULE_HEADER + section(5, vector(b"\x08" + leb(5) + leb(0)))
    facts = facts_of(content)
    assert facts.memories[0].minimum_bytes == 5
    assert facts.features == ("custom-page-sizes",)


def test_all_that_it_has_is_counted() -> None:
    facts = facts_of(
        """(module (type (func)) (import "a" "f" (func)) (func) (func) (table 1 funcref)
          (memory 1) (global i32 (i32.const 0)) (tag) (export "m" (memory 0))
          (elem func 0) (elem func 1) (data "x"))"""
    )
    assert facts.counts == Counts(
        types=1, imports=1, functions=3, tables=1, memories=1, globals=1, tags=1, exports=1,
        elements=2, data=1,
    )  # fmt: skip


def test_globals_are_told_by_their_types() -> None:
    text = "(module (global i32 (i32.const -1)) (global (mut v128) (v128.const i64x2 0 0)))"
    assert facts_of(text).globals == ("i32", "mut v128")


def test_sections_are_told_with_where_they_are() -> None:
    content = binary_of('(module (memory 1) (func) (@custom "note" "abc"))')
    facts = facts_of(content)
    for each in facts.sections:
        assert content[each.offset - 1] == each.size_bytes
    assert [(each.name, each.entries) for each in facts.sections] == [
        ("type", 1),
        ("function", 1),
        ("memory", 1),
        ("code", 1),
        ("custom note", None),
    ]
    assert facts.sections[-1] == Section("custom note", len(content) - 8, 8, None)


def test_imports_may_be_written_in_groups() -> None:
    by_name = (
        name("a")
        + name("")
        + b"\x7f"
        + vector(name("f") + b"\x00\x00", name("m") + b"\x02\x00\x01")
    )
    by_type = name("b") + name("") + b"\x7e" + b"\x03\x7f\x01" + vector(name("x"), name("y"))
    types = section(1, vector(b"\x60\x00\x00"))
    facts = facts_of(MODULE_HEADER + types + section(2, vector(by_name, by_type)))
    assert facts.imports == (
        Import("a", "f", "function", "()"),
        Import("a", "m", "memory", "1 page or more"),
        Import("b", "x", "global", "mut i32"),
        Import("b", "y", "global", "mut i32"),
    )
    assert facts.counts.imports == 4
    assert facts.features == ("compact-imports",)


# Types


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("(func)", "()"),
        ("(func (param v128))", "(v128)"),
        ("(func (param (ref null func)) (result (ref extern)))", "(funcref) -> (ref extern)"),
        ("(func (param (ref 0)) (result (ref null 0)))", "((ref 0)) -> (ref null 0)"),
        ("(func (param anyref eqref i31ref structref arrayref exnref))",
         "(anyref, eqref, i31ref, structref, arrayref, exnref)"),
        ("(func (param nullref nullfuncref nullexternref))",
         "(nullref, nullfuncref, nullexternref)"),
    ],
)  # fmt: skip
def test_a_function_type_is_written_as_it_is(written: str, shown: str) -> None:
    text = f'(module (type (func)) (type $t {written}) (import "a" "f" (func (type $t))))'
    assert facts_of(text).imports[0].type == shown


@pytest.mark.parametrize(
    ("text", "features"),
    [
        ("(module (func (param i32 i64 f32 f64)))", ()),
        ("(module (func (local v128)))", ("simd",)),
        ("(module (memory 1 1 shared))", ("threads",)),
        ("(module (memory i64 1))", ("memory64",)),
        ("(module (memory 1) (memory 1))", ("multi-memory",)),
        ('(module (import "a" "m" (memory 1)) (memory 1))', ("multi-memory",)),
        ("(module (table 1 externref))", ("reference-types",)),
        ("(module (table 1 funcref) (table 1 funcref))", ("reference-types",)),
        ("(module (tag))", ("exceptions",)),
        ("(module (func (param exnref)))", ("exceptions",)),
        ("(module (type (struct (field (mut i8)))))", ("gc",)),
        ("(module (type (array i16)))", ("gc",)),
        ("(module (rec (type (func)) (type (func))))", ("gc",)),
        ("(module (type (sub (func))))", ("gc",)),
        ("(module (func (param (ref func))))", ("function-references",)),
        ("(module (func (result i32 i32) unreachable))", ("multi-value",)),
        ('(module (memory 1) (data "x") (func (data.drop 0)))', ("bulk-memory",)),
        ("(module (global i32 (i32.add (i32.const 1) (i32.const 2))))", ("extended-const",)),
    ],
)
def test_sections_show_what_proposals_a_module_uses(text: str, features: tuple[str, ...]) -> None:
    assert facts_of(text).features == features


def test_types_that_refer_to_one_another_each_have_an_index() -> None:
    text = """(module (rec (type $a (struct (field (ref null $b)))) (type $b (func (param i32))))
      (import "a" "f" (func (type $b))))"""
    assert facts_of(text).imports[0].type == "(i32)"


def test_a_long_type_is_cut() -> None:
    text = f'(module (import "a" "f" (func {"(param i64)" * 500})))'
    shown = facts_of(text).imports[0].type
    assert shown.startswith("(i64, i64, ")
    assert len(shown) == MAX_TYPE_CHARACTERS
    assert shown.endswith("…")


# Names and tools


def test_names_are_those_of_the_name_section() -> None:
    text = "(module $prices (func $first) (func $begin) (func) (start $begin))"
    facts = facts_of(text)
    assert facts.names == Names("prices", 2, "begin")
    assert facts.start == 1


def test_a_start_function_without_a_name_has_none() -> None:
    facts = facts_of("(module (func $a) (func) (func $c) (start 1))")
    assert facts.names == Names(None, 2, None)


def test_the_tools_that_made_it_are_named() -> None:
    fields = vector(
        name("language") + vector(name("Rust") + name("")),
        name("processed-by") + vector(name("rustc") + name("1.80.0"), name("clang") + name("18")),
    )
    assert facts_of(MODULE_HEADER + custom("producers", fields)).producers == (
        Producer("language", "Rust", ""),
        Producer("processed-by", "rustc", "1.80.0"),
        Producer("processed-by", "clang", "18"),
    )


def test_what_it_was_built_for_is_named_but_not_what_was_ruled_out() -> None:
    features = vector(b"+" + name("simd128"), b"-" + name("atomics"), b"=" + name("bulk-memory"))
    facts = facts_of(MODULE_HEADER + custom("target_features", features))
    assert facts.target_features == ("simd128", "bulk-memory")


# What is wrong with it

WHOLE = binary_of(
    """(module (import "a" "f" (func (param i32))) (memory 1) (global (mut i32) (i32.const 0))
      (table 2 funcref) (func $x (param i64)) (func $y) (export "x" (func $x))
      (elem (i32.const 0) $x) (data (i32.const 0) "abc"))"""
)


@pytest.mark.parametrize("length", range(8, len(WHOLE)))
def test_of_a_truncated_module_what_is_there_is_told(length: int) -> None:
    whole = facts_of(WHOLE)
    facts, faults = facts_and_faults(WHOLE[:length])
    assert facts.imports == whole.imports[: len(facts.imports)]
    assert facts.exports == whole.exports[: len(facts.exports)]
    assert facts.memories == whole.memories[: len(facts.memories)]
    # Of the last one, its entries and its own name may not be there any more.
    assert facts.sections[:-1] == whole.sections[: max(len(facts.sections) - 1, 0)]
    assert faults.is_truncated == bool(faults.told)


def test_a_cut_section_says_how_much_of_it_is_there() -> None:
    content = MODULE_HEADER + section(0, name("note") + bytes(95))
    assert faults_of(content[:-60]) == ("it ends within its custom section, after 40 of 100 bytes",)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (section(3, vector(b"\x00")), "the code of its functions is not there"),
        (section(12, leb(1)), "the data that it announces is not there"),
    ],
)
def test_what_was_announced_and_has_no_section_is_truncated(content: bytes, fault: str) -> None:
    _, faults = facts_and_faults(MODULE_HEADER + content)
    assert faults.told == (fault,)
    assert faults.is_truncated


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (section(1, vector(b"\x33")), "in its type section: unknown type 0x33 at offset 0xb"),
        (section(1, leb(3)), "what its type section announces is not all there"),
        (section(2, vector(b"\x00\x00\x09")), "in its import section: unknown kind 9"),
        (section(5, vector(b"\x80")), "in its memory section: unknown limits"),
        (section(5, vector(b"\x08\x01\x40")), "in its memory section: a page is too large"),
        (section(6, vector(b"\x7f\x00\x10\x00\x0b")), "unknown initialiser 0x10"),
        (section(0, b"\x7f"), "what its custom section announces is not all there"),
        (custom("target_features", vector(b"?" + name("x"))), "unknown prefix"),
        (section(99, b""), "unknown section 99"),
        (b"\x01\xff\xff\xff\xff\xff\x01", "a number is too long"),
    ],
)
def test_a_damaged_section_is_told_and_does_not_hide_those_behind_it(
    content: bytes, fault: str
) -> None:
    behind = section(5, vector(b"\x00\x01"))
    facts, faults = facts_and_faults(MODULE_HEADER + content + behind)
    assert len(faults.told) == 1
    assert fault in faults.told[0]
    assert not faults.is_truncated
    if "too long" not in fault:
        assert facts.memories[-1].minimum_bytes == 65536


def test_an_export_of_nothing_has_no_type() -> None:
    content = MODULE_HEADER + section(7, vector(name("x") + b"\x00\x05", name("y") + b"\x02\x00"))
    assert [each.type for each in facts_of(content).exports] == ["", ""]


def test_an_import_of_a_type_that_is_not_there_names_its_index() -> None:
    content = MODULE_HEADER + section(2, vector(name("a") + name("b") + b"\x00\x07"))
    assert facts_of(content).imports[0].type == "type 7"


# Bounds


def test_of_each_list_the_first_are_kept_and_all_are_counted() -> None:
    count = MAX_LISTED + 5
    one = name("a") + name("b") + b"\x03\x7f\x00"
    facts = facts_of(MODULE_HEADER + section(2, vector(*[one] * count)))
    assert len(facts.imports) == MAX_LISTED
    assert facts.counts.imports == facts.counts.globals == count


def test_more_entries_than_any_module_has_are_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, "MAX_ITEMS", 100)
    content = MODULE_HEADER + section(3, vector(*[b"\x00"] * 200))
    assert faults_of(content)[0] == "it has more than 100 sections and entries"


def test_more_sections_than_any_module_has_are_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "MAX_SECTIONS", 10)
    assert faults_of(MODULE_HEADER + custom("x", b"") * 10) == ()
    assert faults_of(MODULE_HEADER + custom("x", b"") * 11) == ("it has more than 10 sections",)


def test_only_so_many_faults_are_told() -> None:
    damaged = b"".join(section(number, b"") for number in range(20, 60))
    assert len(faults_of(MODULE_HEADER + damaged)) == sections.MAX_FAULTS


any_sections = st.lists(st.builds(section, st.integers(0, 14), st.binary(max_size=60)), max_size=8)


@given(any_sections.map(b"".join) | st.binary(max_size=200))
def test_any_bytes_give_facts_and_perhaps_faults(content: bytes) -> None:
    facts, _ = facts_and_faults(MODULE_HEADER + content)
    assert len(facts.imports) <= facts.counts.imports
