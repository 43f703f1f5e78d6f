"""Typed arguments and results, through real calls of real modules and components."""

import json
import math
import struct
from typing import Any

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st
from wasmtime import component as wit

from atectl.engine.component_calls import call_component as call
from atectl.errors import BadInvokeArgument, NotInvokable
from atectl.lease.invoke import words as invoke

ENGINE = wasmtime.Engine()

SAME_NUMBERS = """(module
  (func (export "i32") (param i32) (result i32) (local.get 0))
  (func (export "i64") (param i64) (result i64) (local.get 0))
  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "f64") (param f64) (result f64) (local.get 0))
  (func (export "nothing"))
  (func (export "four") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
    (local.get 3) (local.get 2) (local.get 1) (local.get 0)))"""

ALIASES = {
    "point": '(record (field "x-pos" u32) (field "label" string))',
    "shape": '(variant (case "dot") (case "circle" f64) (case "box" (tuple s16 s16)))',
    "colour": '(enum "red" "green")',
    "rights": '(flags "read" "write" "run")',
    "days": '(flags "mon" "tue" "wed" "thu" "fri" "sat" "sun")',
    "number-or-bool": '(variant (case "number" s32) (case "bool" bool))',
}
"""Types that an export can only use by name."""

TYPES = {
    **{kind: kind for kind in ("bool", "char", "string", "f32", "f64")},
    **{f"{sign}{bits}": f"{sign}{bits}" for sign in "su" for bits in (8, 16, 32, 64)},
    **{name: f"${name}" for name in ALIASES},
    "pair": "(tuple bool char)",
    "maybe": "(option s64)",
    "maybe-maybe": "(option (option (option u32)))",
    "outcome": "(result u32 (error string))",
    "bare-outcome": "(result)",
    "half-outcome": "(result (error string))",
    "maybe-or-text": "(result (option u32) (error string))",
    "rows": "(list (list f64))",
}
"""What a `same-…` of LISTS takes and returns a list of."""

LIFT = '(memory (core memory $core "memory")) (realloc (core func $core "realloc"))'


def lists_component() -> str:
    """A list is an address and a length whatever it holds: one core function returns them all."""
    aliases = "\n".join(
        f'(type ${name}-0 {text}) (export ${name} "{name}-type" (type ${name}-0))'
        for name, text in ALIASES.items()
    )
    functions = "\n".join(
        f'(func (export "same-{name}") (param "it" (list {text})) (result (list {text}))'
        f' (canon lift (core func $core "same-list") {LIFT}))'
        for name, text in TYPES.items()
    )
    return f"""(component
      (core module $Core
        (memory (export "memory") 4)
        (global $top (mut i32) (i32.const 64))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
          (local.set $at (i32.and
            (i32.add (global.get $top) (i32.sub (local.get 2) (i32.const 1)))
            (i32.sub (i32.const 0) (local.get 2))))
          (global.set $top (i32.add (local.get $at) (local.get 3)))
          (local.get $at))
        (func (export "same-list") (param i32 i32) (result i32)
          (i32.store (i32.const 16) (local.get 0))
          (i32.store (i32.const 20) (local.get 1))
          (i32.const 16))
        (func (export "same") (param i32) (result i32) (local.get 0))
        (func (export "ignore") (param i32))
        (func (export "ignore-two") (param i32 i32))
        (func (export "true") (result i32) (i32.store8 (i32.const 20) (i32.const 1))
          (i32.store8 (i32.const 16) (i32.const 1)) (i32.const 16)))
      (core instance $core (instantiate $Core))
      {aliases}
      {functions}
      (type $resource-0 (resource (rep i32)))
      (export $resource "resource-type" (type $resource-0))
      (func (export "bool") (param "it" bool) (result bool)
        (canon lift (core func $core "same")))
      (func (export "char") (param "it" char) (result char)
        (canon lift (core func $core "same")))
      (func (export "u8") (param "it" u8) (result u8) (canon lift (core func $core "same")))
      (func (export "text") (param "it" string) (result string)
        (canon lift (core func $core "same-list") {LIFT}))
      (func (export "colour") (param "it" $colour) (result $colour)
        (canon lift (core func $core "same")))
      (func (export "rights") (param "it" $rights) (result $rights)
        (canon lift (core func $core "same")))
      (func (export "two") (param "first" u8) (param "second" u8) (canon lift
        (core func $core "ignore-two")))
      (func (export "nothing") (param "it" u8) (canon lift (core func $core "ignore")))
      (func (export "a-true") (result $number-or-bool)
        (canon lift (core func $core "true") {LIFT}))
      (func (export "close") (param "it" (own $resource))
        (canon lift (core func $core "ignore"))))"""


LISTS = wit.Component(ENGINE, lists_component())


def call_module(wat: str, name: str, *words: str) -> list[str]:
    store = wasmtime.Store(ENGINE)
    function = wasmtime.Instance(store, wasmtime.Module(ENGINE, wat), []).exports(store)[name]
    assert isinstance(function, wasmtime.Func)
    func_type = invoke.module_type(ENGINE, store, function)
    arguments = invoke.module_arguments(func_type, list(words))
    return invoke.module_results(func_type, function(store, *arguments))


def component_function(store: wasmtime.Store, name: str) -> wit.Func:
    function = wit.Linker(ENGINE).instantiate(store, LISTS).get_func(store, name)
    assert function is not None
    return function


def call_component(name: str, *words: str) -> list[str]:
    store = wasmtime.Store(ENGINE)
    function = component_function(store, name)
    func_type = function.type(store)
    arguments = invoke.component_arguments(func_type, list(words))
    value = call(store, function, arguments, 1_000_000, 1 << 20)
    return invoke.component_results(value)


def same(kind: str, value: Any) -> Any:
    """The value after its way as JSON into a component and out again."""
    (shown,) = call_component(f"same-{kind}", json.dumps([value]))
    (returned,) = json.loads(shown)
    return returned


def refusal(name: str, *words: str) -> str:
    with pytest.raises(BadInvokeArgument) as caught:
        call_component(name, *words)
    return str(caught.value)


# Core modules


@given(st.integers(-(2**31), 2**31 - 1))
def test_an_i32_comes_back_as_it_was_written(number: int) -> None:
    assert call_module(SAME_NUMBERS, "i32", str(number)) == [str(number)]


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_i64_comes_back_as_it_was_written(number: int) -> None:
    assert call_module(SAME_NUMBERS, "i64", str(number)) == [str(number)]


@given(st.integers(2**31, 2**32 - 1))
def test_an_unsigned_i32_comes_back_signed(number: int) -> None:
    assert call_module(SAME_NUMBERS, "i32", hex(number)) == [str(number - 2**32)]


@given(st.floats(allow_nan=False))
def test_an_f64_comes_back_exactly(number: float) -> None:
    (shown,) = call_module(SAME_NUMBERS, "f64", repr(number))
    assert struct.pack("<d", float(shown)) == struct.pack("<d", number)


@given(st.floats(width=32, allow_nan=False))
def test_an_f32_comes_back_exactly_with_no_more_digits_than_it_must(number: float) -> None:
    (shown,) = call_module(SAME_NUMBERS, "f32", repr(number))
    assert struct.pack("<f", float(shown)) == struct.pack("<f", number)
    assert _significant_digits(shown) <= _significant_digits(repr(number))


def test_an_f32_is_shown_with_the_digits_it_has() -> None:
    assert call_module(SAME_NUMBERS, "f32", "0.1") == ["0.1"]


@pytest.mark.parametrize("kind", ["f32", "f64"])
@pytest.mark.parametrize("word", ["nan", "inf", "-inf", "-0.0"])
def test_floats_that_are_no_plain_numbers_are_taken(kind: str, word: str) -> None:
    assert call_module(SAME_NUMBERS, kind, word) == [word]


def test_several_results_are_several_texts() -> None:
    assert call_module(SAME_NUMBERS, "four", "-1", "0x10", ".5", "1e3") == [
        "1000.0", "0.5", "16", "-1",
    ]  # fmt: skip


def test_a_function_that_returns_nothing_has_no_texts() -> None:
    assert call_module(SAME_NUMBERS, "nothing") == []


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("i32", "two"),
        ("i32", ""),
        ("i32", "1.0"),
        ("i32", "1_000"),
        ("i32", "٣"),
        ("i32", " 1"),
        ("i32", "0x"),
        ("i32", "4294967296"),
        ("i32", "-2147483649"),
        ("i64", "18446744073709551616"),
        ("i64", "9" * 5000),
        ("f32", "1e39"),
        ("f64", "1e309"),
        ("f64", "one"),
        ("f64", "infinity"),
        ("f64", "1_0.0"),
    ],
)
def test_a_word_that_is_no_such_number_is_refused(kind: str, word: str) -> None:
    with pytest.raises(BadInvokeArgument, match=rf"^argument 1 \({kind}\): "):
        call_module(SAME_NUMBERS, kind, word)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["1", "2"], "argument 3 (f32) is missing"),
        (["1", "2", "3", "4", "5"], "argument 5, '5', is one too many"),
        (["1", "2", "x", "4"], "argument 3 (f32): 'x' is not a number"),
    ],
)
def test_an_error_says_which_argument_and_what_is_wanted(words: list[str], message: str) -> None:
    with pytest.raises(BadInvokeArgument) as caught:
        call_module(SAME_NUMBERS, "four", *words)
    assert str(caught.value) == message
    assert caught.value.remedy == "give one word for each of (i32, i64, f32, f64)"


@pytest.mark.parametrize(
    "kind",
    ["v128", "externref", "funcref", "exnref", "(ref null any)", "(ref $f)", "(ref null $s)"],
)
@pytest.mark.parametrize("place", ["param", "result"])
def test_vectors_and_references_are_refused_before_the_engine_ends_the_process(
    kind: str, place: str
) -> None:
    config = wasmtime.Config()
    config.wasm_gc = config.wasm_function_references = config.wasm_exceptions = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    module = wasmtime.Module(
        engine,
        f"""(module (type $f (func)) (type $s (struct))
          (func (export "it") ({place} {kind}) unreachable))""",
    )
    function = wasmtime.Instance(store, module, []).exports(store)["it"]
    assert isinstance(function, wasmtime.Func)
    with pytest.raises(NotInvokable, match="only numbers can be passed") as caught:
        invoke.module_type(engine, store, function)
    assert place in str(caught.value)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("nothing", "nothing()"),
        ("i32", "i32(i32) -> i32"),
        ("four", "four(i32, i64, f32, f64) -> (f64, f32, i64, i32)"),
    ],
)
def test_the_signature_of_a_module_function(name: str, shown: str) -> None:
    store = wasmtime.Store(ENGINE)
    instance = wasmtime.Instance(store, wasmtime.Module(ENGINE, SAME_NUMBERS), [])
    function = instance.exports(store)[name]
    assert isinstance(function, wasmtime.Func)
    assert invoke.signature(name, invoke.module_type(ENGINE, store, function)) == shown


# Components: words as they stand


@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_a_string_is_its_word(text: str) -> None:
    assert call_component("text", text) == [text]


@given(st.characters(codec="utf-8"))
def test_a_char_is_its_word(character: str) -> None:
    assert call_component("char", character) == [character]


@pytest.mark.parametrize("word", ["true", "false"])
def test_a_bool_is_true_or_false(word: str) -> None:
    assert call_component("bool", word) == [word]


def test_an_enum_is_the_bare_name_of_its_case() -> None:
    assert call_component("colour", "green") == ["green"]


def test_no_result_is_no_text() -> None:
    assert call_component("nothing", "7") == []


# Components: JSON


def signed(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
U32_OR_NULL = st.none() | unsigned(32)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "char": st.characters(codec="utf-8"),
    "string": TEXTS,
    "f64": FINITE,
    **{f"s{bits}": signed(bits) for bits in (8, 16, 32, 64)},
    **{f"u{bits}": unsigned(bits) for bits in (8, 16, 32, 64)},
    "point": st.fixed_dictionaries({"x-pos": unsigned(32), "label": TEXTS}),
    "shape": st.one_of(
        st.just("dot"),
        FINITE.map(lambda radius: {"circle": radius}),
        st.lists(signed(16), min_size=2, max_size=2).map(lambda sides: {"box": sides}),
    ),
    "colour": st.sampled_from(["red", "green"]),
    "rights": st.sets(st.sampled_from(["read", "write", "run"])).map(
        lambda names: [name for name in ("read", "write", "run") if name in names]
    ),
    "pair": st.tuples(st.booleans(), st.characters(codec="utf-8")).map(list),
    "maybe": st.none() | signed(64),
    "maybe-maybe": st.one_of(
        st.none(),
        st.just({"some": None}),
        U32_OR_NULL.map(lambda number: {"some": {"some": number}}),
    ),
    "outcome": unsigned(32).map(lambda number: {"ok": number})
    | TEXTS.map(lambda text: {"err": text}),
    "bare-outcome": st.sampled_from([{"ok": None}, {"err": None}]),
    "half-outcome": st.just({"ok": None}) | TEXTS.map(lambda text: {"err": text}),
    "maybe-or-text": U32_OR_NULL.map(lambda number: {"ok": number})
    | TEXTS.map(lambda text: {"err": text}),
    "rows": st.lists(st.lists(FINITE, max_size=3), max_size=3),
    "number-or-bool": signed(32).map(lambda number: {"number": number})
    | st.booleans().map(lambda value: {"bool": value}),
}


@pytest.mark.parametrize("kind", sorted(VALUES))
@given(data=st.data())
def test_json_comes_back_as_it_was_written(kind: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(VALUES[kind], max_size=4))
    (shown,) = call_component(f"same-{kind}", json.dumps(values))
    assert json.loads(shown) == values


@pytest.mark.parametrize("kind", ["f32", "f64"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_floats_that_json_lacks_are_strings_in_it(kind: str, value: str) -> None:
    assert same(kind, value) == value


def test_an_f32_in_json_is_shown_with_the_digits_it_has() -> None:
    assert same("f32", 0.1) == 0.1


def test_a_float_may_be_written_as_a_whole_number() -> None:
    assert same("f64", 3) == 3.0


@pytest.mark.parametrize(("written", "shown"), [("ok", {"ok": None}), ({"ok": None}, {"ok": None})])
def test_a_result_without_payload_may_be_written_as_its_tag(written: Any, shown: Any) -> None:
    assert same("bare-outcome", written) == shown


def test_flags_are_shown_in_the_order_of_their_type() -> None:
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    assert same("days", days[::-1]) == days


def test_text_in_json_is_shown_as_it_is() -> None:
    assert call_component("same-string", '["h\\u00e9"]') == ['["hé"]']


@pytest.mark.parametrize(
    ("name", "word", "reason"),
    [
        ("u8", "256", "256 is not in 0 to 255"),
        ("u8", "-1", "-1 is not in 0 to 255"),
        ("u8", "x", "'x' is not a whole number"),
        ("bool", "yes", "'yes' is neither true nor false"),
        ("char", "", "'' is not one character"),
        ("char", "ab", "'ab' is not one character"),
        ("char", "\udcff", "'\\xff' is not UTF-8 text"),
        ("text", "a\udcff", "'a\\xff' is not UTF-8 text"),
        ("colour", "blue", '"blue" is none of red, green'),
        ("rights", '["fly"]', 'at [0]: "fly" is none of read, write, run'),
        ("rights", "[1]", "at [0]: 1 is none of read, write, run"),
        ("rights", "read", "'read' is not JSON: Expecting value at character 1"),
        ("same-f64", "[NaN]", 'JSON has no NaN; write "nan", "inf" or "-inf"'),
        ("same-f64", "[1e999]", "at [0]: inf is too large for f64"),
        ("same-f32", "[1e39]", "at [0]: 1e+39 is too large for f32"),
        ("same-f64", "[true]", "at [0]: true is not a number"),
        ("same-u8", "[1, true]", "at [1]: true is not a whole number"),
        ("same-u8", "[1, 256]", "at [1]: 256 is not in 0 to 255"),
        ("same-u8", "[1.0]", "at [0]: 1.0 is not a whole number"),
        ("same-bool", "[null]", "at [0]: null is not true or false"),
        ("same-string", "[1]", "at [0]: 1 is not a string"),
        ("same-char", '["ab"]', "at [0]: 'ab' is not one character"),
        ("same-string", '["\\ud800"]', "at [0]: '\\ud800' is not UTF-8 text"),
        ("same-u8", '{"a": 1}', '{"a": 1} is not an array'),
        ("same-point", '[{"x-pos": 1}]', "at [0]: the field label is missing"),
        ("same-point", '[{"x-pos": "1", "label": ""}]', 'at [0].x-pos: "1" is not a whole number'),
        ("same-point", '[{"z": 1}]', 'at [0]: there is no field "z"'),
        ("same-point", "[[1, 2]]", "at [0]: [1, 2] is not an object"),
        ("same-pair", "[[true]]", "at [0]: it has 1 elements, not 2"),
        ("same-shape", '["circle"]', "at [0]: circle has a payload, f64"),
        ("same-shape", '[{"dot": 1}]', "at [0]: dot has no payload"),
        ("same-shape", '["line"]', 'at [0]: "line" is none of dot, circle, box'),
        ("same-shape", "[{}]", 'at [0]: {} is neither "tag" nor {"tag": payload}'),
        ("same-shape", '[{"box": [1, 99999]}]', "at [0].box[1]: 99999 is not in -32768 to 32767"),
        ("same-outcome", '[{"err": 1}]', "at [0].err: 1 is not a string"),
        ("same-maybe-maybe", "[3]", 'at [0]: 3 is neither null nor {"some": …}'),
        ("same-maybe-maybe", '[{"some": 1}]', 'at [0].some: 1 is neither null nor {"some": …}'),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_place_and_the_reason(
    name: str, word: str, reason: str
) -> None:
    message = refusal(name, word)
    assert message.startswith("argument 1 (it: ")
    assert message.endswith(f"): {reason}")


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("[" * 100_000, "is nested too deeply"),
        (f"[{'9' * 5000}]", "has a number that is too long"),
        ("[1, ", "is not JSON: Expecting value at character 5"),
    ],
)
def test_a_hostile_word_is_refused_and_not_shown_whole(word: str, reason: str) -> None:
    message = refusal("same-u8", word)
    assert message.endswith(reason)
    assert len(message) < 200


def test_an_error_names_the_parameter_of_a_component() -> None:
    assert refusal("two", "1") == "argument 2 (second: u8) is missing"
    assert refusal("two", "1", "300") == "argument 2 (second: u8): 300 is not in 0 to 255"
    assert refusal("two", "1", "2", "3") == "argument 3, '3', is one too many"


def test_words_for_a_function_without_parameters_are_refused() -> None:
    with pytest.raises(BadInvokeArgument) as caught:
        call_component("a-true", "x")
    assert caught.value.remedy == "give no words"


def test_a_resource_is_refused_before_the_call() -> None:
    with pytest.raises(NotInvokable, match="own<resource>, which no word can express"):
        call_component("close", "1")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("nothing", "nothing(it: u8)"),
        ("two", "two(first: u8, second: u8)"),
        ("text", "text(it: string) -> string"),
        ("colour", "colour(it: enum { red, green }) -> enum { red, green }"),
        ("close", "close(it: own<resource>)"),
    ],
)
def test_the_signature_of_a_component_function(name: str, shown: str) -> None:
    store = wasmtime.Store(ENGINE)
    assert invoke.signature(name, component_function(store, name).type(store)) == shown


@pytest.mark.parametrize(
    ("kind", "spelled"),
    [
        ("point", "record { x-pos: u32, label: string }"),
        ("shape", "variant { dot, circle(f64), box(tuple<s16, s16>) }"),
        ("rights", "flags { read, write, run }"),
        ("maybe", "option<s64>"),
        ("outcome", "result<u32, string>"),
        ("half-outcome", "result<_, string>"),
        ("bare-outcome", "result"),
        ("rows", "list<list<f64>>"),
    ],
)
def test_types_are_spelled_as_wit_does(kind: str, spelled: str) -> None:
    store = wasmtime.Store(ENGINE)
    shown = invoke.signature("f", component_function(store, f"same-{kind}").type(store))
    assert shown == f"f(it: list<{spelled}>) -> list<{spelled}>"


def test_of_a_long_type_the_beginning_is_shown() -> None:
    component = wit.Component(
        ENGINE,
        f"""(component
          (core module $m (func (export "f") (param i32)))
          (core instance $i (instantiate $m))
          (type $0 (enum {" ".join(f'"case-{n}"' for n in range(5_000))}))
          (export $long "long" (type $0))
          (func (export "f") (param "it" $long) (canon lift (core func $i "f"))))""",
    )
    store = wasmtime.Store(ENGINE)
    function = wit.Linker(ENGINE).instantiate(store, component).get_func(store, "f")
    assert function is not None
    with pytest.raises(BadInvokeArgument) as caught:
        invoke.component_arguments(function.type(store), ["no-case"])
    assert str(caught.value).startswith("argument 1 (it: enum { case-0, case-1, ")
    assert len(str(caught.value)) < 3_000
    assert caught.value.remedy is not None
    assert len(caught.value.remedy) < 1_100


def test_nan_in_a_result_is_nan() -> None:
    (shown,) = call_module(SAME_NUMBERS, "f64", "NaN")
    assert math.isnan(float(shown))


def _significant_digits(text: str) -> int:
    return len(text.partition("e")[0].replace(".", "").replace("-", "").strip("0"))
