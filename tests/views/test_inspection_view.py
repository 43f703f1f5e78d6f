"""A capsule in full, as it looks: a module, a component, one that is cut off, hostile names."""

from pathlib import Path

import pytest

from atectl.capsule.component_facts import WorldEntry, WorldItem
from atectl.capsule.inspection import Inspection, inspect
from atectl.capsule.module_facts import Export
from atectl.commands.inspect.list_view import MOST_ROWS
from atectl.commands.inspect.view import inspection_view
from tests.conftest import CAPSULES
from tests.support.golden import WIDTHS, assert_looks_like, drawn
from tests.support.wasm_bytes import binary_of, custom, name, vector

MODULE = """(module $prices
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (import "env" "a_function_with_a_rather_long_name_of_its_own" (func (param i64) (result v128)))
  (import "env" "log" (func))
  (memory (export "memory") 1 16) (memory i64 2)
  (table 12000 funcref)
  (global $next (mut i32) (i32.const 0)) (global i64 (i64.const 5))
  (func $setup) (func (export "add") (param i32 i32) (result i32) unreachable)
  (start $setup)
  (elem (i32.const 0) $setup) (data (i32.const 0) "abc"))"""
TOOLS = custom(
    "producers",
    vector(
        name("language") + vector(name("Rust") + name("")),
        name("processed-by") + vector(name("rustc") + name("1.80.0")),
    ),
)


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type:
    """Inspects a binary in the folder where a reader is."""
    monkeypatch.chdir(tmp_path)

    class Seen:
        @staticmethod
        def binary(content: bytes, path: str = "prices.wasm") -> Inspection:
            Path(path).write_bytes(content)
            return inspect(Path(path))

    return Seen


def looks_like(picture: str, inspection: Inspection, width: int) -> None:
    assert_looks_like(f"{picture}-{width}", drawn(inspection_view(inspection), width))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_module(seen: type, width: int) -> None:
    looks_like("inspect-module", seen.binary(binary_of(MODULE) + TOOLS), width)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_component(seen: type, width: int) -> None:
    component = binary_of((CAPSULES / "component.wat").read_text())
    looks_like("inspect-component", seen.binary(component, "greeting.wasm"), width)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_module_that_is_cut_off(seen: type, width: int) -> None:
    looks_like("inspect-cut-off", seen.binary(binary_of(MODULE)[:210]), width)


@pytest.mark.parametrize("width", WIDTHS)
def test_names_that_would_move_the_cursor_are_inert(seen: type, width: int) -> None:
    hostile = r"\1b]0;title\07[red]\0a\e2\80\ae"
    text = f'(module (import "{hostile}" "x" (func)) (func (export "{hostile}")))'
    picture = drawn(inspection_view(seen.binary(binary_of(text))), width)
    assert "\x1b" not in picture
    assert "\u202e" not in picture
    assert r"\x1b]0;title\x07[red]" in picture


def test_names_in_the_world_of_a_component_are_inert(seen: type) -> None:
    found: Inspection = seen.binary(binary_of('(component (import "f" (func)))'))
    assert found.component is not None
    hostile = "\x1b]0;title\x07[red]"
    entry = WorldEntry(hostile, "instance", "", (WorldItem(hostile, "function", hostile),))
    component = found.component._replace(imports=(entry,))
    picture = drawn(inspection_view(found._replace(component=component)), 80)
    assert picture.count(r"\x1b]0;title\x07[red]") == 3
    assert "\x1b" not in picture


def test_of_a_long_list_the_first_are_shown_and_the_others_counted(seen: type) -> None:
    found: Inspection = seen.binary(binary_of("(module)"))
    assert found.module is not None
    exports = tuple(Export(f"f{number}", "function", "()") for number in range(150))
    module = found.module._replace(
        exports=exports, counts=found.module.counts._replace(exports=2000)
    )
    picture = drawn(inspection_view(found._replace(module=module)), 80)
    assert f"f{MOST_ROWS - 1} " in picture
    assert f"f{MOST_ROWS} " not in picture
    assert "… and 1,900 more" in picture


def test_a_capsule_that_was_encoded_says_so(seen: type) -> None:
    found: Inspection = seen.binary(binary_of("(module)"))
    picture = drawn(inspection_view(found._replace(encodings=("spec", "hex", "brotli"))), 80)
    assert "spec, then hex, then brotli" in picture


def test_a_capsule_with_a_manifest_is_named(seen: type) -> None:
    found: Inspection = seen.binary(binary_of("(module)"))
    picture = drawn(inspection_view(found._replace(package="p\x07", package_version="1.0")), 80)
    assert r"p\x07 1.0" in picture


def test_missing_imports_are_named_with_what_to_do(seen: type) -> None:
    imports = "".join(f'(import "env" "f{number}" (func))' for number in range(15))
    picture = drawn(inspection_view(seen.binary(binary_of(f"(module {imports})"))), 120)
    assert "function which atectl does not provide: env::f0, env::f1" in picture
    assert "env::f9, and 5 more" in picture
    assert "capsule for WASI (wasm32-wasip1)" in picture


def test_a_capsule_without_memory_starts_under_any_quota(seen: type) -> None:
    picture = drawn(inspection_view(seen.binary(binary_of("(module)"))), 80)
    assert "it starts with none, under any --max-mem" in picture
