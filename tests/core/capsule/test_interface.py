"""What a capsule imports that is not provided, and what functions it exports."""

from pathlib import Path
from typing import Any

import pytest
import wasmtime
from wasmtime.component import Component
from wasmtime.component import Linker as ComponentLinker

from atectl.capsule.interface import (
    NamedCode,
    functions_of_component,
    functions_of_instance,
    missing_imports,
    require_imports,
)
from atectl.capsule.loading import Capsule
from atectl.engine.bindings import exports_of_instance
from atectl.engine.kind import Kind
from atectl.engine.metered import Engine, GuestControl
from atectl.errors import MissingImport
from atectl.system.held import held_by
from tests.support.loading import load_mapped

CAPSULES = Path(__file__).resolve().parents[3] / "fixtures" / "capsules"


VERY_MANY = f"""(module (func)
  {"".join(f'(export "e{number}" (func 0))' for number in range(200_000))})"""


def capsule_of(engine: Engine, folder: Path, text: str) -> Capsule:
    path = folder / "some.wat"
    path.write_text(text)
    return load_mapped(engine, path, None)


def refusal(engine: Engine, folder: Path, text: str) -> MissingImport:
    """The error of the whole capsule, which is that of its imports alone."""
    binary = bytes(wasmtime.wat2wasm(text))
    kind: Kind = "component" if binary[4] == 0x0D else "module"
    code_class = Component if kind == "component" else wasmtime.Module
    with pytest.raises(MissingImport) as of_whole:
        require_imports(engine, NamedCode("some.wat", kind, code_class(engine.native, binary)))
    with pytest.raises(MissingImport) as caught:
        capsule_of(engine, folder, text)
    assert str(caught.value) == str(of_whole.value)
    assert caught.value.remedy == of_whole.value.remedy
    assert caught.value.exit_status == 126
    return caught.value


def imported_function(module: str, name: str = "f") -> str:
    return f'(module (import "{module}" "{name}" (func)))'


def imported_instance(name: str) -> str:
    return f'(component (import "{name}" (instance (export "f" (func)))))'


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(CAPSULES.glob("*.wat")) if path.stem != "missing-import"],
    ids=lambda path: path.stem,
)
def test_what_every_other_fixture_imports_is_provided(engine: Engine, path: Path) -> None:
    assert missing_imports(engine, load_mapped(engine, path, None)) == []


@pytest.mark.parametrize(
    ("text", "imported"),
    [
        (
            '(module (import "env" "log" (func (param i32 f64) (result i64))))',
            "env::log, a function (param i32 f64) (result i64), which atectl does not provide",
        ),
        (
            '(module (import "env" "log" (func (param v128))))',
            "env::log, a function (param v128), which atectl does not provide",
        ),
        (imported_function("env"), "env::f, a function, which atectl does not provide"),
        ('(module (import "env" "m" (memory 1)))', "env::m, a memory, which"),
        ('(module (import "env" "t" (table 1 anyref)))', "env::t, a table, which"),
        ('(module (import "env" "g" (global v128)))', "env::g, a global, which"),
        ('(module (import "env" "m" (memory 1 2 shared)))', "env::m, a shared memory, which"),
        (
            '(component (import "log" (func (param "a" string))))',
            "log, a function, which atectl does not provide: function implementation is missing",
        ),
        (
            imported_instance("wasi:cli/stdout@0.2.0"),
            "wasi:cli/stdout@0.2.0, an instance, which atectl does not provide: "
            "instance export `f` has the wrong type: function implementation is missing",
        ),
        ('(component (import "m" (core module)))', "m, a core module, which"),
    ],
)
def test_a_missing_import_is_named_with_its_type(
    engine: Engine, tmp_path: Path, text: str, imported: str
) -> None:
    assert str(refusal(engine, tmp_path, text)).startswith(f"some.wat imports {imported}")


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        (imported_function("wasi_unstable", "fd_write"), "before preview 1"),
        (imported_function("wasi_snapshot_preview1", "fd_wrote"), "no such function"),
        (imported_function("wasi", "thread-spawn"), "without threads"),
        (imported_function("wbg"), "wasm-bindgen"),
        (imported_function("__wbindgen_placeholder__"), "wasm-bindgen"),
        (imported_function("./app_bg.js"), "wasm-bindgen"),
        (imported_function("gojs", "runtime.wasmExit"), "GOOS=wasip1"),
        (imported_function("env", "emscripten_resize_heap"), "Emscripten"),
        (imported_function("env", "host_log"), "the host program"),
        (imported_function("plugin", "f"), "the host program"),
        ('(module (import "env" "memory" (memory 1 2 shared)))', "without threads"),
        (imported_instance("wasi:http/types@0.2.0"), "no network"),
        (imported_instance("wasi:cli/stdout@0.3.0"), "later WASI"),
        (imported_instance("wasi:nn/tensor@0.2.0"), "no such interface"),
    ],
)
def test_the_remedy_says_what_would_provide_it(
    engine: Engine, tmp_path: Path, text: str, provider: str
) -> None:
    assert provider in refusal(engine, tmp_path, text).remedy


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("(func (param i32))", "expected type `(func (param i32))`, found type `(func"),
        ("(memory 1)", "expected memory, but found function"),
    ],
)
def test_an_import_of_another_type_than_provided_is_named_with_both(
    engine: Engine, tmp_path: Path, wanted: str, said: str
) -> None:
    text = f'(module (import "wasi_snapshot_preview1" "fd_write" {wanted}))'
    error = str(refusal(engine, tmp_path, text))
    assert "wasi_snapshot_preview1::fd_write" in error
    assert said in error


def test_the_others_that_are_missing_are_named_up_to_five(engine: Engine, tmp_path: Path) -> None:
    imports = "".join(f'(import "env" "f{number}" (func))' for number in range(9))
    error = str(refusal(engine, tmp_path, f"(module {imports})"))
    assert error.endswith("; also missing: env::f1, env::f2, env::f3, env::f4, env::f5 and 3 more")


def test_an_import_with_an_endless_name_gives_a_short_message(
    engine: Engine, tmp_path: Path
) -> None:
    error = refusal(engine, tmp_path, imported_function("env", "n" * 50_000))
    assert len(str(error)) < 400


def test_a_name_that_looks_like_the_engine_speaking_is_only_a_name(
    engine: Engine, tmp_path: Path
) -> None:
    text = imported_function("env", "x`, but\\nexpected type `(func i32)`, found")
    assert "imports env::x`, but\nexpected" in str(refusal(engine, tmp_path, text))


class EngineThatHears:
    """An engine without a meter, whose components may import `ping`: it counts the calls."""

    fingerprint = "hears"

    def __init__(self) -> None:
        self.native = wasmtime.Engine()
        self.pings = 0

    def module_linker(self) -> wasmtime.Linker:
        return wasmtime.Linker(self.native)

    def component_linker(self) -> Any:
        linker = ComponentLinker(self.native)
        with linker.root() as root:
            root.add_func("ping", self._ping)
        return linker

    def _ping(self, _store: object) -> None:
        self.pings += 1


PINGS_AT_ITS_START = """(component
  (import "ping" (func $ping))
  (core func $lowered (canon lower (func $ping)))
  (core module $Main (import "host" "ping" (func $ping)) (start $ping))
  (core instance (instantiate $Main
    (with "host" (instance (export "ping" (func $lowered)))))))"""


def test_nothing_of_a_component_runs_while_its_imports_are_looked_at() -> None:
    engine = EngineThatHears()
    component = Component(engine.native, PINGS_AT_ITS_START)
    assert missing_imports(engine, NamedCode("pings.wat", "component", component)) == []
    assert engine.pings == 0
    engine.component_linker().instantiate(wasmtime.Store(engine.native), component)
    assert engine.pings == 1


def instance_of(engine: Engine, text: str) -> tuple[wasmtime.Store, wasmtime.Instance]:
    store = engine.new_store(GuestControl())
    return store, wasmtime.Instance(store, wasmtime.Module(engine.native, text), [])


def test_the_functions_of_a_module_are_listed_and_nothing_else(engine: Engine) -> None:
    text = """(module (global (export "global") i32 (i32.const 0)) (func (export "add") (param i32))
      (table (export "table") 1 funcref) (func (export "typed") (param v128)))"""
    assert functions_of_instance(*instance_of(engine, text)) == (["add", "typed"], True)


def test_of_very_many_functions_the_first_are_listed(engine: Engine) -> None:
    listed = functions_of_instance(*instance_of(engine, VERY_MANY))
    assert listed == ([f"e{number}" for number in range(1_000)], False)


def test_exports_are_told_one_by_one_so_that_many_take_no_memory(engine: Engine) -> None:
    exports = exports_of_instance(*instance_of(engine, VERY_MANY))
    before = held_by()
    assert next(exports) == ("e0", True)
    after = held_by()
    assert before is not None
    assert after is not None
    assert after.own_bytes - before.own_bytes < 20 << 20


def test_the_functions_of_a_component_are_listed_with_their_interfaces(engine: Engine) -> None:
    capsule = load_mapped(engine, CAPSULES / "component-functions.wat", None)
    assert sorted(functions_of_component(engine, capsule.code).functions) == [
        "add",
        "example:fixtures/numbers#double",
        "greet",
        "sum",
    ]
