"""`atectl inspect`: what it prints, as a table and as JSON, and its exit statuses."""

import gzip
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from atectl.commands.main import dispatch
from tests.conftest import CAPSULES
from tests.support.program import ATECTL, atectl
from tests.support.real_capsules import CPYTHON
from tests.support.wasm_bytes import fixture

HELLO = CAPSULES / "hello.wat"


def json_of(path: Path, capsys: pytest.CaptureFixture[str], status: int = 0) -> dict[str, Any]:
    assert dispatch(["inspect", str(path), "-o", "json"]) == status
    body: dict[str, Any] = json.loads(capsys.readouterr().out)
    return body


def test_the_json_of_a_module(capsys: pytest.CaptureFixture[str]) -> None:
    body = json_of(HELLO, capsys)
    assert list(body) == [
        "schema_version", "path", "kind", "form", "size_bytes", "binary_bytes", "sha256",
        "encodings", "package", "package_version", "module", "component", "needs",
        "is_truncated", "faults",
    ]  # fmt: skip
    assert body["schema_version"] == 1
    assert (body["kind"], body["form"], body["component"]) == ("module", "text", None)
    assert list(body["module"]) == [
        "counts", "imports", "exports", "memories", "tables", "initial_bytes", "largest_table",
        "globals", "start", "names", "producers", "target_features", "features", "sections",
    ]  # fmt: skip
    assert body["module"]["imports"] == [
        {
            "module": "wasi_snapshot_preview1",
            "name": "fd_write",
            "kind": "function",
            "type": "(i32, i32, i32, i32) -> i32",
        }
    ]
    assert body["needs"] == {
        "entry": "command",
        "wasi": "preview 1",
        "missing_imports": [],
        "min_memory_bytes": 65536,
        "command": f"atectl run --max-mem 64MiB {HELLO}",
    }


def test_the_json_of_a_component(capsys: pytest.CaptureFixture[str]) -> None:
    body = json_of(CAPSULES / "component.wat", capsys)
    assert body["module"] is None
    assert list(body["component"]) == [
        "name", "counts", "imports", "exports", "core_modules", "initial_bytes", "largest_table",
        "wit_sections", "producers", "target_features", "features", "sections",
    ]  # fmt: skip
    assert body["component"]["exports"] == [
        {
            "name": "wasi:cli/run@0.2.0",
            "kind": "instance",
            "type": "",
            "items": [{"name": "run", "kind": "function", "type": "() -> result"}],
        }
    ]


def test_what_is_missing_is_told_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    [missing] = json_of(CAPSULES / "missing-import.wat", capsys)["needs"]["missing_imports"]
    assert list(missing) == ["name", "kind", "reason", "remedy"]
    assert missing["name"] == "env::host_log"


def test_the_table_names_imports_exports_sections_and_a_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert dispatch(["inspect", str(HELLO)]) == 0
    shown = capsys.readouterr().out
    for line in (
        "wasi_snapshot_preview1::fd_write  function  yes",
        "_start                  function",
        "custom name",
        f"atectl run --max-mem 64MiB {HELLO}",
    ):
        assert line in shown


def test_a_real_interpreter_is_shown_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    body = json_of(CPYTHON, capsys)
    assert body["module"]["counts"]["imports"] == len(body["module"]["imports"]) == 43
    # 10 MiB of memory, and the state of its 24,171 data segments and 8,400 functions.
    assert 10 << 20 < body["needs"]["min_memory_bytes"] < 11 << 20


def test_a_truncated_module_is_shown_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cut.wasm"
    path.write_bytes(fixture("hello")[:120])
    body = json_of(path, capsys, status=1)
    assert body["is_truncated"]
    assert body["faults"] == ["it ends within its data section, after 12 of 40 bytes"]
    assert [each["name"] for each in body["module"]["exports"]] == ["memory", "_start"]
    assert dispatch(["inspect", str(path)]) == 1
    assert "the file is cut off" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (None, 127, "E201"),
        (b"hello", 126, "E203"),
        (b"\0asm", 126, "E204"),
        (b"\0asm\x09\0\0\0", 126, "E205"),
        (b"\x7fELF", 126, "E206"),
        (gzip.compress(bytes(64 << 20), mtime=0), 126, "E221"),
        (gzip.compress(b"hello", mtime=0)[:-3], 126, "E222"),
    ],
    ids=["E201", "E203", "E204", "E205", "E206", "E221", "E222"],
)
def test_what_is_no_capsule_has_the_status_that_run_gives_it(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes | None,
    status: int,
    code: str,
) -> None:
    path = tmp_path / "capsule"
    if content is not None:
        path.write_bytes(content)
    assert dispatch(["inspect", str(path)]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error[{code}]")


def test_no_capsule_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["inspect"]) == 2
    assert "CAPSULE" in capsys.readouterr().err


def test_the_name_of_a_file_is_shown_inert(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "\x1b[31m[bold].wasm"
    path.write_bytes(fixture("hello"))
    assert dispatch(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert r"\x1b[31m[bold].wasm" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("path", ["-", "/dev/stdin", "/proc/self/fd/0"])
@pytest.mark.parametrize(
    "content", [HELLO.read_bytes(), gzip.compress(HELLO.read_bytes())], ids=["plain", "gzip"]
)
def test_a_capsule_comes_from_stdin(path: str, content: bytes) -> None:
    ended = atectl("inspect", path, "-o", "json", stdin=content)
    assert (ended.status, ended.stderr) == (0, "")
    body = json.loads(ended.stdout)
    assert (body["kind"], body["size_bytes"]) == ("module", len(content))


def test_a_capsule_comes_from_a_shells_pipe() -> None:
    script = f"{ATECTL} inspect <(cat {HELLO})"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
