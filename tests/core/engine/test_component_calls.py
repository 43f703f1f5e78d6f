"""What a component's function returns is bounded before Python makes values of it.

That it is the same value as ever is tested with all types in `lease/invoke/test_words.py`."""

from typing import Any

import pytest
import wasmtime
from wasmtime import component as wit

from atectl.engine.component_calls import Argument, Oversized, call_component
from atectl.system.held import held_by
from atectl.system.walls.amounts import PARTS_OF_OTHERS

ENGINE = wasmtime.Engine()

RETURNS = """(component
  (type $flags-0 (flags "a" "b" "c" "d" "e" "f" "g" "h"))
  (export $flags "all-flags" (type $flags-0))
  (type $colour-0 (enum "red" "green"))
  (export $colour "colour" (type $colour-0))
  (type $pair-0 (record (field "x" u8) (field "y" u8)))
  (export $pair "pair" (type $pair-0))
  (type $shape-0 (variant (case "dot" u8) (case "line" u8)))
  (export $shape "shape" (type $shape-0))
  (core module $m
    (memory (export "memory") 20)
    (func (export "get") (result i32)
      (memory.fill (i32.const 16) (i32.const FILL) (i32.const 1048576))
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const COUNT))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "get") (result RESULT)
    (canon lift (core func $i "get") (memory (core memory $i "memory")))))"""


def returned(result: str, count: int, most_parts: int, most_text: int = 0, fill: int = 0) -> Any:
    """What comes of a function that returns so many of something."""
    text = RETURNS.replace("RESULT", result).replace("COUNT", str(count))
    component = wit.Component(ENGINE, text.replace("FILL", str(fill)))
    store = wasmtime.Store(ENGINE)
    function = wit.Linker(ENGINE).instantiate(store, component).get_func(store, "get")
    return call_component(store, function, [], most_parts, most_text)


OTHER = PARTS_OF_OTHERS


@pytest.mark.parametrize(
    ("result", "fill", "each"),
    [
        ("(list u8)", 0, 1),
        ("(list f64)", 0, 1),
        ("(list bool)", 1, 1),
        ("(list char)", 0, 1),
        ("(list (tuple u8))", 0, 2 * OTHER),
        ("(list (list u8))", 0, OTHER),
        ("(list (option u8))", 0, OTHER),
        ("(list (option u8))", 1, 2 * OTHER),
        ("(list (result u8))", 0, 2 * OTHER),
        ("(list (result (error u8)))", 0, OTHER),
        ("(list $flags)", 255, 9 * OTHER),
        ("(list $flags)", 0, OTHER),
        ("(list $pair)", 0, 3 * OTHER),
        ("(list $shape)", 0, 2 * OTHER),
    ],
)
def test_so_many_parts_are_taken_and_no_more(result: str, fill: int, each: int) -> None:
    most = OTHER + 100 * each
    assert len(returned(result, 100, most, fill=fill)) == 100
    with pytest.raises(Oversized):
        returned(result, 100, most - 1, fill=fill)


@pytest.mark.parametrize(
    ("result", "each"), [("string", 1), ("(list $colour)", len("red")), ("(list string)", 0)]
)
def test_so_much_text_is_taken_and_no_more(result: str, each: int) -> None:
    assert len(returned(result, 100, 10_000, 100 * each, fill=0)) == 100
    if each:
        with pytest.raises(Oversized):
            returned(result, 100, 10_000, 100 * each - 1, fill=0)


def test_the_memory_of_a_result_that_is_too_large_is_given_back() -> None:
    """Each takes some 4 MiB in the engine."""
    returned("(list (list u8))", 0, OTHER)
    before = held_by()
    for _ in range(100):
        with pytest.raises(Oversized):
            returned("(list (list u8))", 130_000, 1000)
    after = held_by()
    assert before is not None
    assert after is not None
    assert after.own_bytes - before.own_bytes < 100 << 20


def test_a_function_that_is_given_what_it_cannot_take_does_not_run() -> None:
    text = """(component (core module $m (func (export "f") (param i32) unreachable))
      (core instance $i (instantiate $m))
      (func (export "f") (param "it" u8) (canon lift (core func $i "f"))))"""
    store = wasmtime.Store(ENGINE)
    function = (
        wit.Linker(ENGINE).instantiate(store, wit.Component(ENGINE, text)).get_func(store, "f")
    )
    with pytest.raises(TypeError):
        call_component(store, function, [Argument("u8", "no number")], 10, 10)
    with pytest.raises(wasmtime.WasmtimeError, match="unreachable"):
        call_component(store, function, [Argument("u8", 1)], 10, 10)
