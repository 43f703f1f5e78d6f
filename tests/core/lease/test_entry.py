"""What is called in a capsule, and what is said where nothing fit to be called is there."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from atectl.accounting import Principal, Quota
from atectl.capsule.mapped_capsule import MappedCapsule
from atectl.engine.metered import Engine
from atectl.engine.wasi import WasiSettings
from atectl.errors import NoEntryPoint, NotInvokable, UnknownExport
from atectl.lease.lease import Lease
from atectl.lease.outcome import Outcome
from atectl.lease.terms import Terms
from atectl.ledger_store.process_ledger import ProcessLedger
from tests.support.loading import load_mapped

MIB = 1 << 20
EXITS = """(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const {code}))))"""
COMPONENT = """(component
  (core module $m (memory (export "memory") 1)
    (func (export "run") {core})
    (func (export "done") (param i32 i32 i32) (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func $f {type} (canon lift (core func $i "run") {options}))
  (instance $interface (export "{name}" (func $f)))
  (export "{interface}" (instance $interface))
  (export "f" (func $f)))"""
FAILS = "(result i32) (i32.const 1)"
RUN = {"type": "(result (result))", "options": "", "name": "run", "interface": "wasi:cli/run@0.2.0"}
ASYNC = {"type": "async (result (result))", "options": 'async (callback (core func $i "done"))'}


def outcome(engine: Engine, folder: Path, text: str, invoke: str | None = None) -> Outcome:
    return run_of(engine, capsule_of(engine, folder, text), invoke)


def capsule_of(engine: Engine, folder: Path, text: str) -> MappedCapsule:
    path = folder / "capsule.wat"
    path.write_text(text)
    return load_mapped(engine, path)


def run_of(
    engine: Engine, capsule: MappedCapsule, invoke: str | None, deadline_s: float = 30.0
) -> Outcome:
    terms = Terms(Principal(), Quota(64 * MIB, deadline_s), WasiSettings((capsule.name,)), invoke)
    run = Lease(engine, capsule, terms, ProcessLedger())
    run.start()
    return run.join()


def component(core: str = FAILS, **changed: str) -> str:
    return COMPONENT.format(core=core, **{**RUN, **changed})


# How a command ends


@pytest.mark.parametrize(("core", "status"), [("(i32.const 0)", 0), ("(i32.const 1)", 1)])
def test_a_component_ends_as_its_run_says(
    engine: Engine, tmp_path: Path, core: str, status: int
) -> None:
    ended = outcome(engine, tmp_path, component(f"(result i32) {core}"))
    assert (ended.reason, ended.exit_status, ended.exit_code) == ("exited", status, status)


@pytest.mark.parametrize(
    ("code", "status"),
    [(0, 0), (255, 255), (256, 1), (257, 1), (258, 2), (0x7FFF_FF00, 1), (-1, 255), (-256, 1)],
)
def test_no_exit_code_that_is_a_failure_looks_like_success(
    engine: Engine, tmp_path: Path, code: int, status: int
) -> None:
    ended = outcome(engine, tmp_path, EXITS.format(code=code))
    assert (ended.reason, ended.exit_status) == ("exited", status)
    assert ended.exit_code == code & 0xFFFF_FFFF


MANY = "".join(f'(export "e{number}" (func $f))' for number in range(200_000))
FEWER = "".join(f'(export "e{number}" (func $f))' for number in range(20_000))
OF_MANY = [
    (f'(module (func $f) (func (export "_start")) {MANY})', "e199999"),
    (COMPONENT.format(core="(result i32) (i32.const 0)", **RUN)[:-1] + f"{FEWER})", "e19999"),
]
"""Capsules of which wasmtime's own list of exports takes more than ten seconds of CPU."""


@pytest.mark.parametrize(("text", "last"), OF_MANY, ids=["module", "component"])
def test_what_to_call_is_found_at_once_among_many_exports(
    engine: Engine, tmp_path: Path, text: str, last: str
) -> None:
    capsule = capsule_of(engine, tmp_path, text)
    for invoke in (None, last):
        assert run_of(engine, capsule, invoke, deadline_s=5.0).reason == "exited"
    unknown = run_of(engine, capsule, "nosuch", deadline_s=5.0)
    assert "e17" in str(unknown.error)
    assert "at least" in str(unknown.error)


@pytest.mark.parametrize("text", [EXITS.format(code=0), component()], ids=["module", "component"])
def test_no_export_is_called_by_what_is_not_utf8(engine: Engine, tmp_path: Path, text: str) -> None:
    ended = outcome(engine, tmp_path, text, os.fsdecode(b"\xff"))
    assert isinstance(ended.error, UnknownExport)


def test_a_module_with_a_start_function_alone_has_run(engine: Engine, tmp_path: Path) -> None:
    ended = outcome(engine, tmp_path, "(module (func $s) (start $s))")
    assert (ended.reason, ended.exit_status) == ("exited", 0)


RETURNS = """(component
  (core module $m (memory (export "memory") 30)
    (func (export "get") (result i32)
      (i32.store (i32.const 0) (i32.const 8)) (i32.store (i32.const 4) (i32.const {count}))
      (i32.const {at})))
  (core instance $i (instantiate $m))
  {types}
  (func (export "get") (result {result})
    (canon lift (core func $i "get") (memory (core memory $i "memory")))))"""
CASES = "".join(f'(case "c{number}" u8)' for number in range(2_000))
DEEP = "(option " * 90 + "u8" + ")" * 90
VARIANTS = {
    "types": f'(type $0 (variant {CASES})) (export $variant "variant" (type $0))',
    "result": "(list $variant)",
    "count": 10_000,
}
DOUBLED = "(type $0 (tuple u8 u8)) " + " ".join(
    f"(type ${n} (tuple ${n - 1} ${n - 1}))" for n in range(1, 15)
)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"types": "", "result": DEEP, "count": 0, "at": 8}, "null"),
        ({**VARIANTS, "at": 0}, json.dumps([{"c0": 0}] * 10_000)),
    ],
    ids=["deep options", "many cases"],
)
def test_a_result_is_told_in_a_time_that_its_type_does_not_change(
    engine: Engine, tmp_path: Path, given: dict[str, Any], shown: str
) -> None:
    ended = run_of(
        engine, capsule_of(engine, tmp_path, RETURNS.format(**given)), "get", deadline_s=5.0
    )
    assert ended.results == (shown,)


def test_a_function_is_refused_whose_types_have_very_many_parts(
    engine: Engine, tmp_path: Path
) -> None:
    text = RETURNS.format(types=DOUBLED, result="$14", count=0, at=8)
    ended = outcome(engine, tmp_path, text, "get")
    assert isinstance(ended.error, NotInvokable)
    assert "too many parts" in str(ended.error)


# What is no entry point


@pytest.mark.parametrize(
    ("type_", "says"),
    [
        ("(param i32)", "takes parameters"),
        ("(param v128)", "takes parameters"),
        ("(result i32) (i32.const 3)", "returns a value"),
        ("(result v128) (v128.const i64x2 1 2)", "returns a value"),
        ("(result externref) (ref.null extern)", "returns a value"),
        ("(result (ref null $t)) (ref.null $t)", "returns a value"),
    ],
)
@pytest.mark.parametrize("name", ["_start", "_initialize"])
def test_an_entry_point_of_another_type_is_refused_and_does_not_run(
    engine: Engine, tmp_path: Path, type_: str, says: str, name: str
) -> None:
    text = f"""(module (type $t (struct)) (func (export "{name}") {type_}) (func (export "f")))"""
    ended = outcome(engine, tmp_path, text, "f" if name == "_initialize" else None)
    assert (ended.reason, ended.exit_status) == ("refused", 126)
    assert isinstance(ended.error, NoEntryPoint)
    assert f"its {name} {says}" in str(ended.error)


TRAPS, TAKES = "unreachable", "(param i32) (result i32) unreachable"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (component("(result i32) unreachable", type="(result u32)"), "func() -> result"),
        (component(TAKES, type='(param "x" u32) (result (result))'), "func() -> result"),
        (component(TRAPS, type=""), "func() -> result"),
        (component("(result i32) unreachable", name="walk"), "has no function run"),
        (component(**ASYNC), "is async"),
        (component(interface="wasi:cli/run@0.3.0"), "later WASI than 0.2"),
        (component(interface="wasi:cli/run@1.0.0"), "later WASI than 0.2"),
        (component(interface="wasi:http/incoming-handler@0.2.0"), "is a server"),
        (component(interface="wasi:http/handler@0.3.0"), "is a server"),
        (component(interface="a:b/c"), "has no wasi:cli/run@0.2"),
    ],
)  # fmt: skip
def test_a_component_that_is_no_command_is_refused_by_name_before_it_runs(
    engine: Engine, tmp_path: Path, text: str, says: str
) -> None:
    ended = outcome(engine, tmp_path, text)
    assert (ended.reason, ended.exit_status) == ("refused", 126)
    assert isinstance(ended.error, NoEntryPoint)
    assert says in str(ended.error)


def test_an_async_export_is_not_invoked(engine: Engine, tmp_path: Path) -> None:
    ended = outcome(engine, tmp_path, component(**ASYNC), "f")
    assert isinstance(ended.error, NotInvokable)
    assert "async" in str(ended.error)


@pytest.mark.parametrize("name", ["f", "wasi:cli/run@0.2.0#run"])
def test_an_export_of_a_component_is_invoked_by_its_name(
    engine: Engine, tmp_path: Path, name: str
) -> None:
    assert outcome(engine, tmp_path, component(), name).results == ('{"err": null}',)


@pytest.mark.parametrize("name", ["g", "f#run", "wasi:cli/run@0.2.0", "wasi:cli/run@0.2.0#f", "#f"])
def test_what_a_component_does_not_export_is_not_there_to_be_invoked(
    engine: Engine, tmp_path: Path, name: str
) -> None:
    ended = outcome(engine, tmp_path, component(), name)
    assert ended.exit_status == 2
    assert "exports no function" in str(ended.error)
