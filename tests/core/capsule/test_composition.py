"""What a component creates, counted without creating any of it."""

import pytest
from wasmtime import wat2wasm

from atectl.capsule.binary import HEADER_BYTES, Reader
from atectl.capsule.component_walk import pass_export
from atectl.capsule.composition import ENDLESS, composition
from atectl.capsule.creation import Creation
from tests.support.bombs import doubling_component

MODULE = "(core module $m (table 1 funcref))"


def made(text: str) -> Creation:
    binary = bytes(wat2wasm(text))
    return composition(Reader(binary, HEADER_BYTES, len(binary)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(component)", (0, 0)),
        (f"(component {MODULE})", (0, 0)),
        (f"(component {MODULE} (core instance (instantiate $m)))", (1, 1)),
        (
            f"(component (component $c {MODULE} (core instance (instantiate $m)))"
            "(instance (instantiate $c)) (instance (instantiate $c)))",
            (4, 2),
        ),
    ],
    ids=["nothing", "only defined", "a module", "a component twice"],
)
def test_what_is_instantiated_counts_each_time(text: str, expected: tuple[int, int]) -> None:
    assert made(text)[:2] == expected


@pytest.mark.parametrize(("levels", "instances"), [(1, 2), (2, 6), (3, 14), (10, 2046)])
def test_components_that_double_at_each_level_are_multiplied_out(
    levels: int, instances: int
) -> None:
    """The outermost makes one instance of the topmost of them."""
    assert made(doubling_component(levels)).instances == instances + 1


@pytest.mark.parametrize("levels", [62, 75, 90])
def test_counting_ends_where_nothing_could_be_made_any_more(levels: int) -> None:
    assert made(doubling_component(levels)).instances >= ENDLESS


def test_a_component_that_is_given_counts_where_it_is_instantiated() -> None:
    text = f"""(component
      (component $twice (import "c" (component $c))
        (instance (instantiate $c)) (instance (instantiate $c)))
      (component $one {MODULE} (core instance (instantiate $m)))
      (instance (instantiate $twice (with "c" (component $one)))))"""
    assert made(text)[:2] == (1 + 2 + 2, 2)


def test_an_export_is_passed_over_to_its_end() -> None:
    text = f"""(component {MODULE} (component $c)
      (export "first" (core module $m)) (export "second" (component $c)))"""
    binary = bytes(wat2wasm(text))
    reader = Reader(binary, HEADER_BYTES, len(binary))
    names = []
    while not reader.is_at_end:
        number, contents = reader.section()
        if number == 11:
            names += [pass_export(contents) for _ in contents.entries()]
            assert contents.is_at_end
    assert names == ["first", "second"]


STATE = "(core module $m (memory 0) (memory 0)" + "(global (mut i32) (i32.const 0))" * 1000 + ")"
MAKES = "(core instance (instantiate $m))"


def test_state_and_memories_count_for_each_instance() -> None:
    once, twice = made(f"(component {STATE} {MAKES})"), made(f"(component {STATE} {MAKES * 2})")
    assert (once.memories, twice.memories) == (2, 4)
    assert twice.state_bytes - once.state_bytes > 16 * 1000


def test_what_is_not_instantiated_has_no_state() -> None:
    assert made(f"(component {STATE})").state_bytes == made("(component)").state_bytes


def test_a_module_that_is_not_known_has_the_state_of_the_largest() -> None:
    text = f"""(component {STATE} (core module $small)
      (component $takes (import "m" (core module $n)) (core instance (instantiate $n)))
      (instance (instantiate $takes (with "m" (core module $small)))))"""
    assert made(text).state_bytes > 16 * 1000


def test_functions_between_a_component_and_its_modules_count() -> None:
    lifted = '(core module $m (func (export "f"))) (core instance $i (instantiate $m))'
    lifts = '(func (canon lift (core func $i "f")))'
    few, many = (made(f"(component {lifted} {lifts * n})").state_bytes for n in (1, 1001))
    assert many - few >= 1000 * 32
