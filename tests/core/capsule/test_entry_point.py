"""Whether a capsule has what is called where no export is named, by the names of its exports."""

import pytest
from wasmtime import wat2wasm

from atectl.capsule.entry_point import Exported, listed, require_entry_point
from atectl.capsule.outline import outline
from atectl.errors import NoEntryPoint


def require(text: str) -> None:
    binary = bytes(wat2wasm(text))
    require_entry_point("x.wasm", binary, outline(binary))


def refusal(text: str) -> NoEntryPoint:
    with pytest.raises(NoEntryPoint) as told:
        require(text)
    return told.value


def interface(name: str) -> str:
    """A component that exports an interface with one function."""
    return f"""(component
      (core module $m (func (export "run") (result i32) (i32.const 0)))
      (core instance $i (instantiate $m))
      (func $run (result (result)) (canon lift (core func $i "run")))
      (instance $all (export "run" (func $run)))
      (export "{name}" (instance $all)))"""


@pytest.mark.parametrize(
    "text",
    [
        '(module (func (export "_start")))',
        "(module (func $f) (start $f))",
        interface("wasi:cli/run@0.2.0"),
        interface("wasi:cli/run@0.2.9"),
    ],
    ids=["module", "start function", "component", "later component"],
)
def test_a_command_has_one(text: str) -> None:
    require(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '(module (func (export "a") (export "b")))',
            "x.wasm has no _start to run; it exports a, b",
        ),
        ("(module)", "x.wasm has no _start to run; it exports no functions"),
        (
            '(module (memory (export "_start") 1) (func (export "f")))',
            "x.wasm has no _start to run; it exports f",
        ),
        (interface("a:b/c"), "x.wasm has no wasi:cli/run@0.2 to run; it exports a:b/c#run"),
        ("(component)", "x.wasm has no wasi:cli/run@0.2 to run; it exports no functions"),
        (
            interface("wasi:http/incoming-handler@0.2.0"),
            "x.wasm is a server: it exports wasi:http/incoming-handler@0.2.0, and no wasi:cli/run "
            "to run",
        ),
        (
            interface("wasi:cli/run@0.3.0"),
            "x.wasm exports wasi:cli/run@0.3.0, a later WASI than 0.2: its run is async, and the "
            "engine as Python has it cannot drive async exports",
        ),
    ],
)
def test_what_has_none_is_refused_and_told_what_it_has(text: str, said: str) -> None:
    assert str(refusal(text)) == said


def test_of_many_functions_the_first_are_named() -> None:
    assert listed(Exported([str(n) for n in range(30)])).endswith("18, 19 and 10 more")
    assert listed(Exported(["x" * 5000, "y"])) == "x" * 5000 + " and 1 more"


def test_of_more_functions_than_are_looked_at_the_least_number_is_told() -> None:
    names = [str(n) for n in range(30)]
    assert listed(Exported(names, are_all=False)).endswith("18, 19 and at least 10 more")
    assert listed(Exported(["a"], are_all=False)) == "a and maybe more"
    assert listed(Exported([], are_all=False)) == "no function among its first 1,000"


def test_a_damaged_list_of_exports_is_for_the_engine_to_refuse() -> None:
    binary = bytes(wat2wasm('(module (func (export "abcdef")))')).replace(
        b"\x06abcdef", b"\x7fabcdef"
    )
    require_entry_point("x.wasm", binary, outline(binary))


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ('(module (func (export "_start") (param i32)))', "takes parameters"),
        ('(module (func (export "_start") (result i64) (i64.const 1)))', "returns a value"),
        (
            """(module (import "a" "t" (table 1 2 funcref)) (import "a" "m" (memory 1))
              (import "a" "g" (global i32)) (import "a" "f" (func))
              (func $other) (func (export "_start") (param f32 externref)))""",
            "takes parameters",
        ),
        ('(module (import "a" "f" (func $f (param i32))) (export "_start" (func $f)))', "takes"),
    ],
    ids=["parameter", "result", "behind imports", "imported"],
)
def test_an_entry_point_that_is_not_plain_is_found_before_anything_is_compiled(
    text: str, done: str
) -> None:
    assert f"x.wasm: its _start {done}" in str(refusal(text))


@pytest.mark.parametrize(
    "text",
    [
        '(module (type $s (struct)) (func (export "_start") (param (ref null $s))))',
        """(module (import "a" "g" (global (ref null any)))
          (func (export "_start") (param i32)))""",
    ],
    ids=["types", "imports"],
)
def test_what_is_not_told_in_a_plain_way_is_left_to_the_engine(text: str) -> None:
    require(text)
