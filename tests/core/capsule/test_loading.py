"""A capsule is judged by its content, read once, and compiled once."""

import hashlib
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Never

import pytest
from wasmtime import Module, WasmtimeError, wat2wasm
from wasmtime.component import Component

from atectl.capsule.cache import ArtifactCache
from atectl.capsule.compilation import Compilation
from atectl.capsule.compiler import Compiler
from atectl.capsule.errors import CapsuleTooLarge, CompileMemory, CompileTime
from atectl.capsule.limits import CompileLimits
from atectl.capsule.loading import Uncompiled, find
from atectl.capsule.loading import load as load_with
from atectl.capsule.refusal import Refusal
from atectl.capsule.source import Source
from atectl.capsule.verdict import Effort, Verdict
from atectl.engine.metered import Engine
from atectl.engine.settings import EngineSettings
from atectl.errors import (
    AtectlError,
    CapsuleError,
    CapsuleNotFound,
    CapsuleUnreadable,
    CompilerGone,
    InvalidCapsule,
    NotWebAssembly,
    PrecompiledCapsule,
    TruncatedCapsule,
)
from tests.support.bombs import merge_bomb
from tests.support.loading import exports_of, load, load_mapped
from tests.support.wasm_bytes import binary_of

MIB = 1 << 20
MODULE = '(module (table 1 funcref) (table 1 funcref) (func (export "run")))'
COMPONENT = "(component (core module))"
NEWLINE_IMPORT = """(module (import "env" "log\\n" (func)))"""


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ArtifactCache]:
    # To this clock, a file written a moment ago has long lain unchanged.
    with ArtifactCache.open(
        tmp_path / "cache", clock_ns=lambda: time.time_ns() + 3_600_000_000_000
    ) as cache:
        yield cache


def write(folder: Path, content: str | bytes, name: str = "some.file") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def error_of(engine: Engine, path: Path, cache: ArtifactCache | None = None) -> AtectlError:
    with pytest.raises(AtectlError) as caught:
        load(engine, path, cache)
    return caught.value


# What is taken


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (MODULE, "module"),
        (COMPONENT, "component"),
        (bytes(wat2wasm(MODULE)), "module"),
        (bytes(wat2wasm(COMPONENT)), "component"),
        ("\n\t;; a comment\r\n(; one (; in ;) another ;) (module)", "module"),
        (";; ünïcödé\n(component)", "component"),
        ("(func)", "module"),
    ],
)
def test_a_capsule_is_known_by_its_content_whatever_its_name(
    engine: Engine, tmp_path: Path, content: str | bytes, kind: str
) -> None:
    capsule = load(engine, write(tmp_path, content, "photo.png"), None)
    assert (capsule.name, capsule.kind, capsule.was_cached) == ("photo.png", kind, False)


def test_a_capsule_carries_its_hash_and_its_bound_of_tables(engine: Engine, tmp_path: Path) -> None:
    capsule = load(engine, write(tmp_path, MODULE), None)
    assert capsule.sha256 == hashlib.sha256(MODULE.encode()).hexdigest()
    assert capsule.creates.tables == 2


def test_a_capsule_may_be_reached_through_a_link(engine: Engine, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(write(tmp_path, MODULE))
    assert load(engine, link, None).kind == "module"


# What is refused


@pytest.mark.parametrize("name", ["missing.wasm", "file/below.wasm"])
def test_a_path_that_leads_nowhere(engine: Engine, tmp_path: Path, name: str) -> None:
    write(tmp_path, MODULE, "file")
    error = error_of(engine, tmp_path / name)
    assert isinstance(error, CapsuleNotFound)
    assert error.exit_status == 127


def test_a_folder(engine: Engine, tmp_path: Path) -> None:
    error = error_of(engine, tmp_path)
    assert isinstance(error, CapsuleUnreadable)
    assert "a folder" in str(error)


def test_a_pipe_that_nobody_writes_to_is_refused_at_once(engine: Engine, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    error = error_of(engine, tmp_path / "pipe")
    assert isinstance(error, CapsuleUnreadable)
    assert "a pipe" in str(error)


def test_a_device(engine: Engine) -> None:
    error = error_of(engine, Path("/dev/zero"))
    assert isinstance(error, CapsuleUnreadable)
    assert "a device" in str(error)


def test_a_socket(engine: Engine, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        assert isinstance(error_of(engine, tmp_path / "socket"), CapsuleUnreadable)


def test_a_loop_of_links(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert isinstance(error_of(engine, tmp_path / "loop"), CapsuleUnreadable)


def test_a_name_longer_than_names_can_be(engine: Engine, tmp_path: Path) -> None:
    assert isinstance(error_of(engine, tmp_path / ("n" * 1000)), CapsuleUnreadable)


def test_a_file_larger_than_any_capsule_is_not_read(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path, MODULE)
    os.truncate(path, 10 << 40)
    error = error_of(engine, path)
    assert isinstance(error, CapsuleTooLarge)
    assert error.exit_status == 126
    assert "10 TiB" in str(error)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello, world\n",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"#!/bin/sh\n(module)\n",
        b";; nothing but a comment",
        b"(; a comment without an end (module)",
        b"(module \xff)",
        b" \n\t ",
        "\ufeff(module)".encode(),
        bytes(100),
    ],
)
def test_what_is_no_webassembly(engine: Engine, tmp_path: Path, content: bytes) -> None:
    assert isinstance(error_of(engine, write(tmp_path, content)), NotWebAssembly)


@pytest.mark.parametrize(
    "content",
    [
        "(",
        "(module",
        '(module (func (export "run")',
        '(module (func (export "ru',
        "(module (; a comment",
        "(component (core module)\n\n",
        bytes(wat2wasm(MODULE))[:-1],
        bytes(wat2wasm(COMPONENT))[:-1],
        b"\0as",
    ],
)
def test_what_ends_too_early(engine: Engine, tmp_path: Path, content: str | bytes) -> None:
    assert isinstance(error_of(engine, write(tmp_path, content)), TruncatedCapsule)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("(module (func (result i32)))", "expected i32 but nothing on stack"),
        ("(module\n  (func call $nobody))", "$nobody`, at line 2, column 14"),
        ("(hello)", "expected valid module field, at line 1, column 2"),
        (b"\0asm\x02\0\0\0", "unknown binary version"),
        (b"\0asm\x0d\0\x02\0", "version"),
        (b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\xff\x01", "invalid var_u32"),
        (b"\0asm\x0d\0\x01\0\x01\x04\0asm", "unexpected end"),
    ],
)
def test_an_invalid_capsule_is_refused_with_the_reason_of_the_engine(
    engine: Engine, tmp_path: Path, content: str | bytes, reason: str
) -> None:
    error = error_of(engine, write(tmp_path, content))
    assert isinstance(error, InvalidCapsule)
    assert reason in str(error)
    assert "\n" not in str(error)


def test_native_code_is_never_taken_even_from_this_very_engine(
    engine: Engine, tmp_path: Path
) -> None:
    compiled = Module(engine.native, MODULE).serialize()
    error = error_of(engine, write(tmp_path, bytes(compiled), "capsule.wasm"))
    assert isinstance(error, PrecompiledCapsule)
    assert error.exit_status == 126


# With a cache


def test_the_second_time_it_comes_from_the_cache(
    engine: Engine, tmp_path: Path, cache: ArtifactCache
) -> None:
    path = write(tmp_path, MODULE)
    first, second = load(engine, path, cache), load(engine, path, cache)
    assert (first.was_cached, second.was_cached) == (False, True)
    assert (first.sha256, first.creates) == (second.sha256, second.creates)


def test_a_component_comes_from_the_cache_too(
    engine: Engine, tmp_path: Path, cache: ArtifactCache
) -> None:
    path = write(tmp_path, COMPONENT)
    load(engine, path, cache)
    again = load(engine, path, cache)
    assert (again.kind, again.was_cached) == ("component", True)


def test_a_copy_under_another_name_shares_the_artifact(
    engine: Engine, tmp_path: Path, cache: ArtifactCache
) -> None:
    load(engine, write(tmp_path, MODULE, "one"), cache)
    assert load(engine, write(tmp_path, MODULE, "two"), cache).was_cached


def test_an_unchanged_file_is_neither_read_nor_hashed(
    engine: Engine, tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, MODULE)
    load(engine, path, cache)

    def fail(*_: object) -> Never:
        raise AssertionError("it was read")

    monkeypatch.setattr(os, "fdopen", fail)
    monkeypatch.setattr(Source, "hash", fail)
    assert load(engine, path, cache).was_cached


def test_a_changed_file_of_the_same_size_and_time_is_noticed(
    engine: Engine, tmp_path: Path, cache: ArtifactCache
) -> None:
    path = write(tmp_path, '(module (func (export "one")))')
    before = path.stat()
    load(engine, path, cache)
    path.write_bytes(b'(module (func (export "two")))')
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    capsule = load(engine, path, cache)
    assert not capsule.was_cached
    assert exports_of(engine, capsule) == ["two"]


def test_the_hash_of_a_file_that_changes_while_it_is_read_is_not_kept(
    engine: Engine, tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, MODULE)
    hash_of = Source.hash

    def hash_and_change(source: Source) -> str:
        sha256 = hash_of(source)
        path.write_bytes(COMPONENT.encode())
        return sha256

    monkeypatch.setattr(Source, "hash", hash_and_change)
    capsule = load(engine, path, cache)
    # What was compiled is told, and kept, by its own hash.
    assert capsule.kind == "component"
    assert capsule.sha256 == hashlib.sha256(COMPONENT.encode()).hexdigest()
    assert [entry.sha256 for entry in cache.entries()] == [capsule.sha256]
    monkeypatch.undo()
    assert cache.known_source(path.stat()) is None
    assert load(engine, path, cache).kind == "component"


def test_a_refused_capsule_leaves_no_artifact(
    engine: Engine, tmp_path: Path, cache: ArtifactCache
) -> None:
    path = write(tmp_path, "(module (func (result i32)))")
    for _ in range(2):
        with pytest.raises(InvalidCapsule):
            load(engine, path, cache)
    assert cache.entries() == []


def test_a_capsule_that_the_cache_cannot_keep_runs_all_the_same(
    engine: Engine, tmp_path: Path
) -> None:
    with ArtifactCache.open(tmp_path / "small", max_bytes=100) as small:
        capsule = load(engine, write(tmp_path, MODULE), small)
    assert capsule.kind == "module"
    assert capsule.cache_error is not None
    assert "100 B" in str(capsule.cache_error)


# Refusals that are remembered


def refusal_of(
    engine: Engine, path: Path, cache: ArtifactCache, limits: CompileLimits
) -> AtectlError | None:
    """The error with which the cache alone refuses a capsule; None if it does not."""
    try:
        found = find(engine, path, cache, limits)
    except CapsuleError as error:
        return error
    assert isinstance(found, Uncompiled)
    found.close()
    return None


@pytest.mark.parametrize(
    "text",
    [
        "(module (func (result i32)))",
        '(module (import "env" "log\n\u2028" (func)))',
        "hello, world",
    ],
    ids=["invalid", "missing import", "noise"],
)
def test_a_refusal_is_remembered_with_its_words_and_for_the_file_of_any_name(
    engine: Engine, tmp_path: Path, cache: ArtifactCache, text: str
) -> None:
    with pytest.raises(CapsuleError) as first:
        load(engine, write(tmp_path, text, "one.wasm"), cache)
    again = refusal_of(engine, write(tmp_path, text, "other.wasm"), cache, CompileLimits())
    assert type(again) is type(first.value)
    assert again is not None
    assert str(again) == str(first.value).replace("one.wasm", "other.wasm", 1)
    assert again.remedy == first.value.remedy


def test_a_refusal_of_another_release_does_not_count(
    engine: Engine, tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "hello, world")
    error_of(engine, path, cache)
    assert refusal_of(engine, path, cache, CompileLimits()) is not None
    monkeypatch.setattr("atectl.capsule.findings.__version__", "99")
    assert refusal_of(engine, path, cache, CompileLimits()) is None


def test_a_refusal_for_one_engine_is_none_for_another(
    engine: Engine, tmp_path: Path, cache: ArtifactCache
) -> None:
    path = write(tmp_path, "hello, world")
    error_of(engine, path, cache)
    burning = Engine(EngineSettings(burns_fuel=True))
    assert refusal_of(burning, path, cache, CompileLimits()) is None
    burning.close()


def test_too_little_memory_is_remembered_until_there_is_more(
    engine: Engine, tmp_path: Path, cache: ArtifactCache
) -> None:
    path = write(tmp_path, merge_bomb(400, 400))
    limits = CompileLimits(memory_bytes=32 * MIB)
    with Compiler(engine, limits) as compiler, pytest.raises(CompileMemory):
        load_with(engine, path, cache, compiler)
    assert isinstance(refusal_of(engine, path, cache, limits), CompileMemory)
    less, more = (limits._replace(memory_bytes=size * MIB) for size in (31, 33))
    assert isinstance(refusal_of(engine, path, cache, less), CompileMemory)
    assert refusal_of(engine, path, cache, more) is None


@pytest.mark.parametrize(("is_certain", "is_kept"), [(True, True), (False, False)])
def test_too_little_time_is_remembered_if_the_machine_had_time(
    engine: Engine, tmp_path: Path, cache: ArtifactCache, is_certain: bool, is_kept: bool
) -> None:
    path, limits = write(tmp_path, MODULE), CompileLimits(deadline_s=2)
    refusal = Refusal(CompileTime.code, " takes long", "wait", 2.0, is_certain)

    class Late(Compilation):
        def verdict(self, until: float | None = None) -> Verdict:
            return Verdict(None, Effort(), refusal=refusal)

    class LateCompiler(Compiler):
        def begin(self, *told: Any, **more: Any) -> Compilation:
            begun = super().begin(*told, **more)
            begun.__class__ = Late
            return begun

    with LateCompiler(engine) as compiler, pytest.raises(CompileTime):
        load_with(engine, path, cache, compiler)
    assert (refusal_of(engine, path, cache, limits) is not None) == is_kept
    longer = limits._replace(deadline_s=3)
    assert refusal_of(engine, path, cache, longer) is None


def test_what_says_nothing_of_the_content_is_not_remembered(
    engine: Engine, tmp_path: Path, cache: ArtifactCache
) -> None:
    path = write(tmp_path, MODULE)
    with Compiler(engine) as compiler:
        compiler.close()
        with pytest.raises(CompilerGone):
            load_with(engine, path, cache, compiler)
    with pytest.raises(CapsuleNotFound):
        load(engine, tmp_path / "later", cache)
    assert not [each for each in cache.path.iterdir() if each.suffix == ".refused"]
    assert load(engine, path, cache).kind == "module"


def test_a_capsule_tells_what_compiling_it_took(
    engine: Engine, tmp_path: Path, cache: ArtifactCache
) -> None:
    path = write(tmp_path, MODULE)
    compiled, cached = load(engine, path, cache), load(engine, path, cache)
    assert compiled.compile_s > 0
    assert compiled.compile_cpu_s > 0
    assert compiled.compile_peak_bytes > MIB
    assert (cached.compile_s, cached.compile_cpu_s, cached.compile_peak_bytes) == (0.0, 0.0, 0)


def test_without_a_cache_the_artifact_is_in_no_file(engine: Engine, tmp_path: Path) -> None:
    before = set(Path("/proc/self/maps").read_text().splitlines())
    capsule = load_mapped(engine, write(tmp_path, MODULE))
    mapped = set(Path("/proc/self/maps").read_text().splitlines()) - before
    assert any("/memfd:capsule" in line for line in mapped)
    assert capsule.kind == "module"


def test_where_a_component_is_not_valid_is_told_of_its_own_file(
    engine: Engine, tmp_path: Path
) -> None:
    data = "".join(f'(data (i32.const {each}) "x")' for each in range(3000))
    text = f"""(component (core module $m (memory 1) {data}) (core instance (instantiate $m))
      (core module (global i32 (i64.const 1))))"""
    path = tmp_path / "invalid.wasm"
    path.write_bytes(binary_of(text))
    with pytest.raises(WasmtimeError) as told:
        Component(engine.native, path.read_bytes())
    [place] = re.findall(r"at offset 0x[0-9a-f]+", str(told.value))
    with pytest.raises(InvalidCapsule, match=place):
        load(engine, path)
