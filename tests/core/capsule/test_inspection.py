"""One capsule in full: from its file, whatever lies over it, to what it is and needs."""

import hashlib
import json
from pathlib import Path

import brotli
import pytest
import wasmtime
from blake3 import blake3

from atectl.capsule import limits
from atectl.capsule.errors import (
    CapsuleTooLarge,
    CompileMemory,
    ManifestMismatch,
    Undecodable,
)
from atectl.capsule.inspection import inspect
from atectl.errors import (
    CapsuleNotFound,
    InvalidCapsule,
    NotWebAssembly,
    PrecompiledCapsule,
    TruncatedCapsule,
)
from tests.conftest import CAPSULES
from tests.support.python_child import in_child
from tests.support.real_capsules import CPYTHON
from tests.support.wasm_bytes import fixture

HELLO = fixture("hello")


def saved(folder: Path, content: bytes, name: str = "capsule.wasm") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_a_binary_is_what_is_in_its_file(tmp_path: Path) -> None:
    path = saved(tmp_path, HELLO)
    found = inspect(path)
    assert (found.path, found.kind, found.form) == (str(path), "module", "binary")
    assert found.size_bytes == found.binary_bytes == len(HELLO)
    assert found.sha256 == hashlib.sha256(HELLO).hexdigest()
    assert (found.encodings, found.package, found.faults) == ((), None, ())
    assert found.module is not None
    assert found.component is None


def test_of_the_text_form_the_binary_is_told() -> None:
    path = CAPSULES / "hello.wat"
    found = inspect(path)
    assert found.form == "text"
    assert (found.size_bytes, found.binary_bytes) == (path.stat().st_size, len(HELLO))
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_component_is_told_from_a_module() -> None:
    found = inspect(CAPSULES / "component.wat")
    assert found.kind == "component"
    assert found.module is None
    assert found.component is not None


def test_a_capsule_within_a_workflow_spec_is_the_same(tmp_path: Path) -> None:
    text = brotli.compress(HELLO).hex()
    path = saved(tmp_path, json.dumps({"workflow": text, "workflow_name": "x"}).encode())
    found = inspect(path)
    assert found.encodings == ("spec", "hex", "brotli")
    assert found.module == inspect(saved(tmp_path, HELLO, "plain.wasm")).module


def test_a_manifest_names_it_and_is_held_to_its_hash(tmp_path: Path) -> None:
    path = saved(tmp_path, HELLO)
    manifest = tmp_path / "Capsule.toml"
    written = '[package]\nname = "prices"\nversion = "1.2.0"\n[[component]]\n'
    manifest.write_text(f'{written}file = "capsule.wasm"\nhash = "{blake3(HELLO).hexdigest()}"')
    for each in (path, manifest):
        found = inspect(each)
        assert (found.package, found.package_version) == ("prices", "1.2.0")
        assert found.binary_bytes == len(HELLO)
    saved(tmp_path, HELLO + b"\0\1x")
    with pytest.raises(ManifestMismatch):
        inspect(path)


def test_the_command_line_names_the_path_as_it_was_given(tmp_path: Path) -> None:
    saved(tmp_path, HELLO)
    manifest = tmp_path / "Capsule.toml"
    manifest.write_text('[package]\nname = "p"\nversion = "1"\n[[component]]\nfile="capsule.wasm"')
    assert (inspect(manifest).needs.command or "").endswith(str(manifest))


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", NotWebAssembly),
        (b"hello", NotWebAssembly),
        (b"\x7fELF\x02\x01", PrecompiledCapsule),
        (b"\0as", TruncatedCapsule),
        (b"\0asm\x01\0", TruncatedCapsule),
        (b"\0asm\x02\0\0\0", InvalidCapsule),
        (b"(module", TruncatedCapsule),
        (b"(module (func (nonsense)))", InvalidCapsule),
        (b"\x1f\x8b\x08\x00", Undecodable),
    ],
)
def test_what_is_no_capsule_is_refused_as_by_run(
    tmp_path: Path, content: bytes, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal) as caught:
        inspect(saved(tmp_path, content))
    assert caught.value.exit_status == 126  # type: ignore[attr-defined]


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(CapsuleNotFound):
        inspect(tmp_path / "missing.wasm")


def test_no_more_is_read_than_is_allowed(tmp_path: Path) -> None:
    path = saved(tmp_path, HELLO)
    assert inspect(path, max_bytes=len(HELLO)).faults == ()
    with pytest.raises(CapsuleTooLarge, match="no larger capsule is accepted"):
        inspect(path, max_bytes=len(HELLO) - 1)


def test_text_is_assembled_by_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, b"(module (memory 1))")
    assembled_here = []

    def assemble(text: str) -> bytes:
        assembled_here.append(text)
        return bytes(really_assemble(text))

    really_assemble = wasmtime.wat2wasm
    monkeypatch.setattr(wasmtime, "wat2wasm", assemble)
    assert inspect(path).form == "text"
    assert assembled_here == []


def test_text_that_takes_too_much_to_assemble_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, b"(module" + b"(func)" * 1_000_000 + b")")
    monkeypatch.setattr(limits, "DEFAULT_COMPILE_MEMORY_BYTES", 64 << 20)
    with pytest.raises(CompileMemory):
        inspect(path)


def test_of_a_truncated_capsule_nothing_is_promised(tmp_path: Path) -> None:
    found = inspect(saved(tmp_path, HELLO[:-30]))
    assert found.is_truncated
    assert len(found.faults) == 1
    assert (found.needs.min_memory_bytes, found.needs.command) == (None, None)
    assert found.module is not None
    assert [each.name for each in found.module.exports] == ["memory", "_start"]


def test_of_a_damaged_capsule_nothing_is_promised(tmp_path: Path) -> None:
    found = inspect(saved(tmp_path, HELLO + b"\x63\x00"))
    assert not found.is_truncated
    assert found.faults == ("unknown section 99 at offset 0xa8",)
    assert found.needs.command is None


def test_a_binary_is_inspected_without_the_engine(tmp_path: Path) -> None:
    path = saved(tmp_path, HELLO)
    imported = in_child(
        "import sys; from pathlib import Path; from atectl.capsule.inspection import inspect\n"
        f"inspect(Path({str(path)!r})); print('wasmtime' in sys.modules)"
    )
    assert imported == "False\n"


def test_a_large_binary_takes_little_more_memory_than_its_size() -> None:
    peak = in_child(
        "from pathlib import Path; from atectl.capsule.inspection import inspect\n"
        "def peak_kib():\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    return int(next(line for line in lines if line.startswith('VmHWM')).split()[1])\n"
        f"before = peak_kib(); inspect(Path({str(CPYTHON)!r})); print(peak_kib() - before)"
    )
    assert int(peak) * 1024 < CPYTHON.stat().st_size * 9 // 8 + (10 << 20)
