"""What a capsule needs to run here, held to what the engine says and to real runs."""

import re
import shlex
from pathlib import Path

import pytest
import wasmtime
from wasmtime.component import Component

from atectl.capsule.binary import Reader, kind_of
from atectl.capsule.component_facts import WorldEntry
from atectl.capsule.component_reading import read_component
from atectl.capsule.creation import ONE_INSTANCE
from atectl.capsule.inspection import inspect
from atectl.capsule.interface import MissingImportNote, NamedCode, missing_imports
from atectl.capsule.needs import Needs, needs_of_component
from atectl.capsule.provided import PREVIEW_1, PREVIEW_1_MODULE, WASI_0_2, is_of_wasi_0_2
from atectl.capsule.sections import Faults
from atectl.engine.metered import Engine
from tests.conftest import CAPSULES
from tests.support.program import atectl
from tests.support.real_capsules import CPYTHON, RESVG
from tests.support.wasm_bytes import binary_of

FIXTURES = sorted(CAPSULES.glob("*.wat"))


def lacking_of(engine: Engine, path: Path) -> list[MissingImportNote]:
    """What the engine says that it does not provide to the capsule at `path`."""
    binary = binary_of(path.read_text())
    if kind_of(binary) == "component":
        code = NamedCode(path.name, "component", Component(engine.native, binary))
    else:
        code = NamedCode(path.name, "module", wasmtime.Module(engine.native, binary))
    return missing_imports(engine, code)


def needs_of(folder: Path, text: str) -> Needs:
    path = folder / "some.wat"
    path.write_text(text)
    found = inspect(path)
    assert found.faults == ()
    return found.needs


def missing(folder: Path, text: str) -> list[tuple[str, str]]:
    return [(each.name, each.kind) for each in needs_of(folder, text).missing_imports]


# Imports


def test_the_functions_of_preview_1_are_those_of_the_engine(engine: Engine) -> None:
    imports = "".join(
        f'(import "{PREVIEW_1_MODULE}" "{name}" (func {as_text(type_)}))'
        for name, type_ in PREVIEW_1.items()
    )
    module = wasmtime.Module(engine.native, f"(module {imports})")
    engine.module_linker().instantiate_pre(module)  # refuses what is missing or of another type


def as_text(type_: str) -> str:
    """A type as the text form has it: `(param i32) (result i64)` for `(i32) -> i64`."""
    match = re.fullmatch(r"\((.*?)\)(?: -> (\w+))?", type_)
    assert match is not None
    result = f"(result {match[2]})" if match[2] else ""
    return f"(param {match[1].replace(',', '')}) {result}"


# One thing of each interface, such that an engine without the interface lacks it.
_RESOURCES = {
    "wasi:io/error": "error", "wasi:io/poll": "pollable", "wasi:io/streams": "input-stream",
    "wasi:cli/terminal-input": "terminal-input", "wasi:cli/terminal-output": "terminal-output",
    "wasi:filesystem/types": "descriptor", "wasi:sockets/network": "network",
    "wasi:sockets/tcp": "tcp-socket", "wasi:sockets/udp": "udp-socket",
    "wasi:sockets/ip-name-lookup": "resolve-address-stream",
}  # fmt: skip
_FUNCTIONS = {
    "wasi:cli/environment": '"get-arguments" (func (result (list string)))',
    "wasi:cli/exit": '"exit" (func (param "status" (result)))',
    "wasi:clocks/monotonic-clock": '"now" (func (result u64))',
    "wasi:random/insecure": '"get-insecure-random-u64" (func (result u64))',
    "wasi:random/insecure-seed": '"insecure-seed" (func (result (tuple u64 u64)))',
    "wasi:random/random": '"get-random-u64" (func (result u64))',
}
_OF_OTHER_TYPES = {
    "wasi:cli/stdin": ("wasi:io/streams", "input-stream", "get-stdin", "(own $t)"),
    "wasi:cli/stdout": ("wasi:io/streams", "output-stream", "get-stdout", "(own $t)"),
    "wasi:cli/stderr": ("wasi:io/streams", "output-stream", "get-stderr", "(own $t)"),
    **{
        f"wasi:cli/terminal-{stream}": (
            f"wasi:cli/terminal-{way}", f"terminal-{way}", f"get-terminal-{stream}",
            "(option (own $t))",
        )
        for stream, way in (("stdin", "input"), ("stdout", "output"), ("stderr", "output"))
    },
    "wasi:filesystem/preopens": (
        "wasi:filesystem/types", "descriptor", "get-directories",
        "(list (tuple (own $t) string))",
    ),
    "wasi:sockets/instance-network": (
        "wasi:sockets/network", "network", "instance-network", "(own $t)",
    ),
}  # fmt: skip
_ENUM = "(type $a (enum {})) (export {} (type $b (eq $a)))"


def importing(interface: str, version: str = "0.2.0") -> str:
    """A component that imports something of an interface."""
    named = f'"{interface}@{version}"'
    if interface in _RESOURCES:
        resource = f'(export "{_RESOURCES[interface]}" (type (sub resource)))'
        return f"(component (import {named} (instance {resource})))"
    if interface in _FUNCTIONS:
        return f"(component (import {named} (instance (export {_FUNCTIONS[interface]}))))"
    if interface in _OF_OTHER_TYPES:
        owner, resource, function, result = _OF_OTHER_TYPES[interface]
        return f"""(component
          (import "{owner}@{version}" (instance $o (export "{resource}" (type (sub resource)))))
          (alias export $o "{resource}" (type $r))
          (import {named} (instance (alias outer 1 $r (type $i))
            (export "{resource}" (type $t (eq $i)))
            (export "{function}" (func (result {result}))))))"""
    if interface == "wasi:clocks/wall-clock":
        return f"""(component (import {named} (instance
          (type $r (record (field "seconds" u64) (field "nanoseconds" u32)))
          (export "datetime" (type $d (eq $r))) (export "now" (func (result $d))))))"""
    family = interface.removesuffix("-create-socket").rpartition("/")[2]
    codes = " ".join(f'"{code}"' for code in _ERROR_CODES.split())
    return f"""(component
      (import "wasi:sockets/network@{version}" (instance $n
        {_ENUM.format(codes, '"error-code"')}
        (type $f (enum "ipv4" "ipv6")) (export "ip-address-family" (type (eq $f)))))
      (import "wasi:sockets/{family}@{version}" (instance $s
        (export "{family}-socket" (type (sub resource)))))
      (alias export $n "error-code" (type $code))
      (alias export $n "ip-address-family" (type $family))
      (alias export $s "{family}-socket" (type $socket))
      (import {named} (instance
        (alias outer 1 $code (type $c1)) (export "error-code" (type $c (eq $c1)))
        (alias outer 1 $family (type $f1)) (export "ip-address-family" (type $f (eq $f1)))
        (alias outer 1 $socket (type $s1)) (export "{family}-socket" (type $s (eq $s1)))
        (export "create-{family}-socket"
          (func (param "address-family" $f) (result (result (own $s) (error $c))))))))"""


_ERROR_CODES = (
    "unknown access-denied not-supported invalid-argument out-of-memory timeout "
    "concurrency-conflict not-in-progress would-block invalid-state new-socket-limit "
    "address-not-bindable address-in-use remote-unreachable connection-refused connection-reset "
    "connection-aborted datagram-too-large name-unresolvable temporary-resolver-failure "
    "permanent-resolver-failure"
)


@pytest.mark.parametrize("interface", sorted(WASI_0_2))
@pytest.mark.parametrize("version", ["0.2.0", "0.2.9"])
def test_the_interfaces_of_wasi_0_2_are_those_of_the_engine(
    engine: Engine, tmp_path: Path, interface: str, version: str
) -> None:
    text = importing(interface, version)
    assert missing(tmp_path, text) == []
    assert lacking_of(engine, tmp_path / "some.wat") == []


@pytest.mark.parametrize(
    "name",
    [
        "wasi:http/types@0.2.0", "wasi:random/random@0.3.0", "wasi:random/random@0.2.0-rc-1",
        "wasi:random/random", "wasi:keyvalue/store@0.2.0", "example:own/thing@0.2.0",
    ],
)  # fmt: skip
def test_what_the_engine_does_not_provide_is_missing(
    engine: Engine, tmp_path: Path, name: str
) -> None:
    assert not is_of_wasi_0_2(name)
    text = f'(component (import "{name}" (instance (export "get-random-u64" (func (result u64))))))'
    assert missing(tmp_path, text) == [(name, "instance")]
    [found] = lacking_of(engine, tmp_path / "some.wat")
    assert found.name == name


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ('(module (import "env" "f" (func)))', [("env::f", "function")]),
        ('(module (import "env" "m" (memory 1)))', [("env::m", "memory")]),
        ('(module (import "wasi_snapshot_preview1" "no" (func)))',
         [("wasi_snapshot_preview1::no", "function")]),
        ('(module (import "wasi_snapshot_preview1" "proc_exit" (func)))',
         [("wasi_snapshot_preview1::proc_exit", "function")]),
        ('(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))))', []),
        ("(module (memory 1 1 shared))", [("memory 0", "shared memory")]),
        ("(component (core module (memory 1 1 shared)))", [("memory 0", "shared memory")]),
        ('(component (import "x" (instance)))', []),
        ('(component (import "f" (func)))', [("f", "function")]),
        ('(component (type $t (enum "a")) (import "t" (type (eq $t))))', []),
        ('(component (import "r" (type (sub resource))))', [("r", "resource")]),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(
    tmp_path: Path, text: str, lacking: list[tuple[str, str]]
) -> None:
    assert missing(tmp_path, text) == lacking


def test_what_is_missing_says_why_and_what_to_do(tmp_path: Path) -> None:
    text = '(module (import "wasi_snapshot_preview1" "proc_exit" (func)))'
    [note] = needs_of(tmp_path, text).missing_imports
    assert note.reason == "which atectl provides with another type: (i32)"
    assert "wasm32-wasip1" in note.remedy


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_the_engine_lacks_the_same_of_every_fixture(engine: Engine, path: Path) -> None:
    lacking = [each.name for each in lacking_of(engine, path)]
    assert [each.name for each in inspect(path).needs.missing_imports] == lacking


@pytest.mark.parametrize(
    ("path", "wasi"),
    [(CPYTHON, "preview 1"), (RESVG, "preview 1"), (CAPSULES / "component.wat", "0.2"),
     (CAPSULES / "reactor.wat", None)],
    ids=["cpython", "resvg", "component", "reactor"],
)  # fmt: skip
def test_of_real_capsules_all_that_is_imported_is_provided(path: Path, wasi: str | None) -> None:
    needs = inspect(path).needs
    assert (needs.wasi, needs.missing_imports) == (wasi, ())


# Memory


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("(module)", 1),
        ("(module (memory 3))", 196_608),
        ("(module (memory 1) (memory 2))", 196_608),
        ("(module (memory 1) (table 10000 funcref))", 320_000),
        ("(module (table 10000 funcref) (table 5 funcref))", 640_000),
        ("(component (core module $m (memory 2)) (core instance (instantiate $m)))", 131_072),
    ],
)
def test_the_least_memory_is_what_it_declares(tmp_path: Path, text: str, least: int) -> None:
    assert needs_of(tmp_path, text).min_memory_bytes == least


def fault_of_starting(path: Path, quota_bytes: int) -> str | None:
    """The error's code with which a run under a quota is refused at its start, if it is."""
    words = ["--ledger", "none", "--deadline", "10s", "--max-mem", str(quota_bytes), path]
    code = re.search(r"error\[(E30[16])\]", atectl("run", *words).stderr)
    return None if code is None else code[1]


@pytest.mark.parametrize("name", ["initial-memory", "initial-table", "two-memories", "component"])
def test_a_capsule_starts_with_the_least_memory_and_not_with_less(name: str) -> None:
    path = CAPSULES / f"{name}.wat"
    least = inspect(path).needs.min_memory_bytes
    assert least is not None
    assert fault_of_starting(path, least) is None
    assert fault_of_starting(path, least - 1) in ("E301", "E306")


# A command line


@pytest.mark.parametrize(
    ("text", "entry", "words"),
    [
        ('(module (func (export "_start")))', "command", []),
        ('(module (func (export "f") (param i32 f64)))', "functions", ["--invoke", "f", 0, 0]),
        ('(module (func (export "_initialize")) (func (export "g")))', "functions",
         ["--invoke", "g"]),
        ("(module)", "nothing", None),
        ('(module (func (export "f") (param externref)))', "functions", None),
        ('(module (import "env" "f" (func)) (func (export "_start")))', "command", None),
        ('(module (memory (export "_start") 1))', "nothing", None),
    ],
)  # fmt: skip
def test_a_command_line_calls_what_there_is_to_call(
    tmp_path: Path, text: str, entry: str, words: list[str | int] | None
) -> None:
    needs = needs_of(tmp_path, text)
    assert needs.entry == entry
    if words is None:
        assert needs.command is None
        return
    path = str(tmp_path / "some.wat")
    expected = ["atectl", "run", "--max-mem", "64MiB", *words[:2], path, *words[2:]]
    assert needs.command == shlex.join(map(str, expected))


@pytest.mark.parametrize(
    ("functions", "words"),
    [
        ({"f": "()"}, ["--invoke", "f", "x.wasm"]),
        ({"f": "(a: u8, b: string) -> u32"}, ["--invoke", "f", "x.wasm", "0", "text"]),
        ({"f": "(a: bool, b: list<tuple<u8, u8>>, c: char)"},
         ["--invoke", "f", "x.wasm", "false", "[]", "x"]),
        ({"f": "(a: option<list<u8>>, s: shape)"},
         ["--invoke", "f", "x.wasm", "<option<list<u8>>>", "<shape>"]),
        ({"f": "(s: shape)", "easier": "(a: u8)"}, ["--invoke", "easier", "x.wasm", "0"]),
        ({"f": "async ()", "waits": "()"}, ["--invoke", "waits", "x.wasm"]),
    ],
)  # fmt: skip
def test_arguments_are_examples_of_their_types(functions: dict[str, str], words: list[str]) -> None:
    empty = binary_of("(component)")
    facts = read_component(Reader(empty, 8, len(empty)), Faults())
    exports = [WorldEntry(name, "function", type_, ()) for name, type_ in functions.items()]
    needs = needs_of_component(facts._replace(exports=tuple(exports)), "x.wasm", ONE_INSTANCE)
    assert shlex.split(needs.command or "")[4:] == words


def test_a_function_of_an_interface_is_named_with_it() -> None:
    command = inspect(CAPSULES / "component-functions.wat").needs.command or ""
    assert shlex.split(command)[5] == "example:fixtures/numbers#double"


def test_more_memory_than_usual_is_asked_for_where_it_is_needed(tmp_path: Path) -> None:
    text = '(module (memory 2000) (func (export "_start")))'
    assert "--max-mem 125MiB" in (needs_of(tmp_path, text).command or "")


def test_the_path_is_quoted_for_a_shell(tmp_path: Path) -> None:
    path = tmp_path / "my capsule; rm.wat"
    path.write_text('(module (func (export "_start")))')
    command = inspect(path).needs.command
    assert command is not None
    assert shlex.split(command)[-1] == str(path)


RUNNABLE = ["hello", "grow-by-steps", "component", "reactor", "component-functions"]


@pytest.mark.parametrize("name", RUNNABLE)
def test_the_command_line_runs_the_capsule(name: str) -> None:
    command = inspect(CAPSULES / f"{name}.wat").needs.command
    assert command is not None
    program, *words = shlex.split(command)
    assert program == "atectl"
    assert atectl(words[0], "--ledger", "none", *words[1:]).status == 0
