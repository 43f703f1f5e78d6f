"""The images of a component find the memories that they are of, in whatever order it makes them."""

import random

import pytest
from wasmtime import WasmtimeError
from wasmtime.component import Component

from atectl.capsule import initial_content
from atectl.capsule.initial_content import separate
from atectl.engine.metered import Engine
from tests.support.images import Instantiated, however_little_data, separated
from tests.support.wasm_bytes import binary_of

PAGE = 65_536


def module(name: str, *data: str) -> str:
    """A core module whose memories begin with these, each of another size."""
    memories = "".join(
        f'(memory {place + 1}) (data (memory {place}) (i32.const {place * PAGE + 5}) "{text}")'
        for place, text in enumerate(data)
    )
    return f"(core module ${name} {memories})"


def made(engine: Engine, text: str) -> list[str]:
    """What the memories of a component begin with, in the order in which they are made."""
    instance = Instantiated(engine, text)
    assert instance.images is not None
    return [content.strip(b"\0").decode() for content in instance.contents]


def test_each_instance_of_each_module_begins_with_its_own_data(engine: Engine) -> None:
    text = f"""(component {module("a", "a1", "a2")} {module("b", "b1")}
      (core instance (instantiate $b)) (core instance (instantiate $a))
      (core instance (instantiate $b)))"""
    assert made(engine, text) == ["b1", "a1", "a2", "b1"]


def test_a_nested_component_has_its_turn_where_it_is_instantiated(engine: Engine) -> None:
    text = f"""(component {module("a", "a")}
      (component $n {module("n", "n1", "n2")}
        (component $deep {module("d", "d")} (core instance (instantiate $d)))
        (core instance (instantiate $n)) (instance (instantiate $deep)))
      (instance (instantiate $n)) (core instance (instantiate $a)) (instance (instantiate $n)))"""
    assert made(engine, text) == ["n1", "n2", "d", "a", "n1", "n2", "d"]


def test_what_is_outside_of_a_nested_component_is_known_in_it(engine: Engine) -> None:
    text = f"""(component {module("a", "a")} (component $inner {module("i", "i")}
        (core instance (instantiate $i)))
      (component $n {module("n", "n")} (alias outer 1 0 (core module $again))
        (alias outer 1 0 (component $c)) (core instance (instantiate $n))
        (core instance (instantiate $again)) (instance (instantiate $c)))
      (instance (instantiate $n)))"""
    assert made(engine, text) == ["n", "a", "i"]


def test_an_export_is_another_name_for_the_same(engine: Engine) -> None:
    text = f"""(component {module("a", "a")} {module("b", "b")}
      (export $again "again" (core module $a)) {module("c", "c")}
      (core instance (instantiate $c)) (core instance (instantiate $again)))"""
    assert made(engine, text) == ["c", "a"]


def test_a_memory_of_no_size_and_one_without_data_have_their_turn(engine: Engine) -> None:
    text = f"""(component (core module $empty (memory 0) (memory 1)) {module("a", "a")}
      (core instance (instantiate $empty)) (core instance (instantiate $a)))"""
    assert made(engine, text) == ["", "", "a"]


def test_a_memory_that_another_module_imports_keeps_its_data_in_order(engine: Engine) -> None:
    text = """(component
      (core module $owner (memory (export "m") 1) (data (i32.const 0) "abcdef"))
      (core module $guest (import "o" "m" (memory 1)) (memory 2)
        (data (i32.const 1) "X") (data (memory 1) (i32.const 0) "own"))
      (core instance $o (instantiate $owner))
      (core instance (instantiate $guest (with "o" (instance $o)))))"""
    assert made(engine, text) == ["aXcdef", "own"]


def random_component(source: random.Random, depth: int, names: list[str]) -> str:
    """A component that defines and instantiates modules and components in a random order."""
    parts, modules, components = [], 0, 0
    for _ in range(source.randrange(2, 9)):
        match source.randrange(5):
            case 0 | 1:
                names.append(f"m{len(names)}")
                data = [f"{names[-1]}x{number}" for number in range(source.randrange(1, 4))]
                parts.append(module(f"m{modules}", *data))
                modules += 1
            case 2 if modules:
                parts.append(f"(core instance (instantiate $m{source.randrange(modules)}))")
            case 3 if depth:
                inner = random_component(source, depth - 1, names)
                parts.append(f"(component $c{components} {inner})")
                components += 1
            case 4 if components:
                parts.append(f"(instance (instantiate $c{source.randrange(components)}))")
    return " ".join(parts)


def as_the_engine_fills_them(engine: Engine, text: str) -> list[bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.support.images.separate", lambda *_: None)
        return Instantiated(engine, text).contents


@pytest.mark.parametrize("seed", range(40))
def test_random_components_begin_as_the_engine_has_them(engine: Engine, seed: int) -> None:
    text = f"(component {random_component(random.Random(seed), 2, [])})"
    assert Instantiated(engine, text).contents == as_the_engine_fills_them(engine, text)


GIVEN = """(component {a}
  (component $taker (import "m" (core module $m)) (core instance (instantiate $m)))
  (core instance (instantiate $a))
  (instance (instantiate $taker (with "m" (core module $a)))))""".format(a=module("a", "a"))
EXPORTED = """(component
  (component $n {a} (export "m" (core module $a)))
  (instance $i (instantiate $n)) (alias export $i "m" (core module $m))
  (core instance (instantiate $m))
  {b} (core instance (instantiate $b)))""".format(a=module("a", "a"), b=module("b", "b"))


@pytest.mark.parametrize("text", [GIVEN, EXPORTED], ids=["given", "exported"])
def test_nothing_is_taken_where_it_is_not_plain_what_is_instantiated(
    engine: Engine, text: str
) -> None:
    assert separated(text) is None
    assert Instantiated(engine, text).contents[0].strip(b"\0") == b"a"


def test_what_is_passed_on_and_not_instantiated_does_no_harm(engine: Engine) -> None:
    text = f"""(component {module("a", "a")} (component $t (import "m" (core module $m)))
      (instance (instantiate $t (with "m" (core module $a)))) (core instance (instantiate $a)))"""
    assert made(engine, text) == ["a"]


def test_nothing_is_taken_out_of_a_component_with_very_many_memories(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = f"(component {module('a', 'a')} {'(core instance (instantiate $a))' * 5})"
    assert separated(text) is not None
    monkeypatch.setattr(initial_content, "MOST_MEMORIES", 3)
    assert separated(text) is None


def test_steps_without_end_are_not_followed() -> None:
    levels = "(component $l0 (core module $e) (core instance (instantiate $e)))"
    for level in range(1, 30):
        again = f"(instance (instantiate $l{level - 1}))"
        levels = f"(component $l{level} {levels} {again} {again})"
    first = f"{module('a', 'a')} (core instance (instantiate $a))"
    binary = binary_of(f"(component {first} {levels} (instance (instantiate $l29)))")
    with however_little_data():
        assert separate(binary, "component") is None


def test_an_invalid_component_stays_invalid(engine: Engine) -> None:
    bad = '(core module $bad (memory 1) (data (i32.const 1) "x") (func (result i32)))'
    binary = binary_of(f"(component {module('a', 'a')} {bad} (core instance (instantiate $a)))")
    apart = separated(binary)
    assert apart is not None
    for each in (binary, apart.binary):
        with pytest.raises(WasmtimeError):
            Component(engine.native, each)


@pytest.mark.parametrize("cut", range(9, 120, 7))
def test_what_is_cut_off_is_left_alone(cut: int) -> None:
    binary = binary_of(f"(component {module('a', 'a', 'b')} (core instance (instantiate $a)))")
    with however_little_data():
        found = separate(binary[:cut], "component")
    assert found is None or cut >= len(binary) - 8
