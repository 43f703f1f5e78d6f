"""What loading a capsule comes to: its facts, what it needs to start, and what is wrong with it."""

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brotli
import pytest
from backports import zstd

from atectl import config
from atectl.capsule.cache import ArtifactCache
from atectl.capsule.compilation import Compilation
from atectl.capsule.compiler import Compiler
from atectl.capsule.limits import CompileLimits
from atectl.engine.metered import Engine
from atectl.errors import MissingImport
from atectl.load.inputs import items
from atectl.load.loader import Loader
from atectl.load.results import LoadedCapsule
from tests.conftest import CAPSULES
from tests.support import loading
from tests.support.bombs import merge_bomb
from tests.support.loading import compile_room
from tests.support.wasm_bytes import binary_of

MIB = 1 << 20
KIB = 1 << 10
PAGE = 64 * KIB
HELLO = CAPSULES / "hello.wat"


@pytest.fixture(scope="module")
def compiler() -> Iterator[Compiler]:
    engine = Engine()
    with Compiler(engine, CompileLimits(memory_bytes=1 << 30)) as compiler:
        compiler.prepare()
        yield compiler
    engine.close()


@pytest.fixture
def cache(private_homes: Path) -> Iterator[ArtifactCache]:
    with ArtifactCache.open(config.cache_dir()) as cache:
        yield cache


@pytest.fixture
def loader(compiler: Compiler, cache: ArtifactCache) -> Loader:
    return Loader(compiler, cache, compile_room(2 << 30))


def rows(loader: Loader, path: Path) -> list[LoadedCapsule]:
    return [loader.load(item) for item in items([path], recursive=True)]


def load(loader: Loader, path: Path, content: str | bytes | None = None) -> LoadedCapsule:
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    [row] = rows(loader, path)
    return row


# Of one that is ok


def test_a_module_tells_what_it_is(loader: Loader, tmp_path: Path) -> None:
    text = """(module $prices
      (import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32)))
      (memory (export "memory") 2 16) (table 3 funcref)
      (func (export "go")) (func $s) (start $s))"""
    row = load(loader, tmp_path / "prices.wat", text)
    assert (row.verdict, row.code, row.reason) == ("ok", None, None)
    assert (row.kind, row.form, row.encodings) == ("module", "text", ())
    assert row.imports == ("wasi_snapshot_preview1::fd_close",)
    assert row.exports == ("memory", "go")
    assert [(m.minimum_bytes, m.maximum_bytes) for m in row.memories] == [(2 * PAGE, 16 * PAGE)]
    assert [table.minimum for table in row.tables] == [3]
    assert row.has_start
    assert (row.min_memory_bytes, row.is_tried) == (2 * PAGE, True)
    assert row.compile_s is not None
    assert row.compile_peak_bytes is not None
    assert row.artifact_bytes is not None
    assert row.artifact_bytes > KIB
    assert not row.cached


def test_a_component_tells_what_it_is(loader: Loader) -> None:
    row = load(loader, CAPSULES / "component.wat")
    assert (row.verdict, row.kind, row.min_memory_bytes) == ("ok", "component", PAGE)
    assert row.imports
    assert row.has_start is None


def test_an_encoded_capsule_is_decoded_and_says_how(loader: Loader, tmp_path: Path) -> None:
    encoded = base64.b64encode(gzip.compress(binary_of("(module)")))
    row = load(loader, tmp_path / "x.b64", encoded)
    assert (row.verdict, row.encodings) == ("ok", ("base64", "gzip"))


@pytest.mark.parametrize("name", ["x.wasm.zst", "x"])
def test_zstd_is_not_taken_for_text_though_it_begins_with_a_parenthesis(
    loader: Loader, tmp_path: Path, name: str
) -> None:
    row = load(loader, tmp_path / name, zstd.compress(binary_of("(module)")))
    assert (row.verdict, row.encodings) == ("ok", ("zstd",)), row


def test_each_spec_of_a_file_is_loaded_by_itself(loader: Loader, tmp_path: Path) -> None:
    path = tmp_path / "specs.jsonl"
    texts = ["(module)", '(module (memory 1) (func (export "f")))', "(module (memory 3))"]
    path.write_text(
        "\n".join(
            json.dumps({"name": f"spec {n}", "workflow": binary_of(text).hex()})
            for n, text in enumerate(texts)
        )
    )
    found = rows(loader, path)
    assert [row.verdict for row in found] == ["ok"] * 3
    assert [row.path for row in found] == [f"{path}#{n}" for n in (1, 2, 3)]
    assert [row.package for row in found] == ["spec 0", "spec 1", "spec 2"]
    assert [row.min_memory_bytes for row in found] == [1, PAGE, 3 * PAGE]
    assert len({row.sha256 for row in found}) == 3


def test_a_manifest_gives_a_capsule_its_name(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "Capsule.toml").write_text(
        '[package]\nname = "prices"\nversion = "1.2"\n[[component]]\nfile = "x.wat"\n'
    )
    row = load(loader, tmp_path / "x.wat", "(module)")
    assert (row.package, row.version) == ("prices", "1.2")


# What it needs to start


@pytest.mark.parametrize(
    ("text", "needed_bytes"),
    [
        ("(module)", 1),
        ("(module (memory 3) (memory 2))", 5 * PAGE),
        ("(module (table 4000 funcref))", 4000 * 32),
        # It grows as it starts, and traps where it may not.
        (
            "(module (memory 1) (func $s (if (i32.eq (memory.grow (i32.const 6)) (i32.const -1))"
            " (then unreachable))) (start $s))",
            7 * PAGE,
        ),
        # It grows as it starts, and lives without.
        ("(module (memory 1) (func $s (drop (memory.grow (i32.const 6)))) (start $s))", PAGE),
    ],
)
def test_what_a_capsule_needs_to_start_is_tried(
    loader: Loader, tmp_path: Path, text: str, needed_bytes: int
) -> None:
    row = load(loader, tmp_path / "x.wat", text)
    assert (row.verdict, row.min_memory_bytes, row.is_tried) == ("ok", needed_bytes, True)


def test_what_is_more_than_may_be_had_here_is_taken_at_its_word(
    loader: Loader, tmp_path: Path
) -> None:
    row = load(loader, tmp_path / "x.wat", "(module (memory 40000))")
    assert (row.verdict, row.min_memory_bytes, row.is_tried) == ("ok", 40_000 * PAGE, False)


def test_a_start_function_that_traps_is_bad(loader: Loader, tmp_path: Path) -> None:
    row = load(loader, tmp_path / "x.wat", "(module (func $s unreachable) (start $s))")
    assert (row.verdict, row.code) == ("traps", "E303")
    assert row.reason is not None
    assert "x.wat traps in its start function" in row.reason


def test_a_start_function_that_never_ends_is_ended(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atectl.load.loader.START_S", 0.5)
    row = load(loader, CAPSULES / "start-never-ends.wat")
    assert (row.verdict, row.code) == ("hangs", "E302")


def test_a_memory_that_threads_share_cannot_be_held_to_a_quota(
    loader: Loader, tmp_path: Path
) -> None:
    row = load(loader, tmp_path / "x.wat", "(module (memory 1 2 shared))")
    assert row.verdict == "invalid"


# Of one that is bad


@pytest.mark.parametrize(
    ("name", "content", "verdict", "code"),
    [
        ("notes.txt", b"some words, and no capsule\n", "not-wasm", "E203"),
        ("empty.wasm", b"", "not-wasm", "E203"),
        ("cut.wasm", binary_of('(module (func (export "f")))')[:-3], "truncated", "E204"),
        ("cut.wasm", b"\0asm\1", "truncated", "E204"),
        ("bad.wat", b"(module (func unknown))", "invalid", "E205"),
        ("native.so", b"\x7fELF..", "native", "E206"),
        ("wants.wat", b'(module (import "env" "log" (func)))', "imports", "E207"),
        ("bomb.gz", gzip.compress(bytes(20 * MIB)), "bomb", "E221"),
        ("cut.gz", gzip.compress(b"(module)")[:-4], "undecodable", "E222"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_capsule_says_what_is_wrong_in_a_word_and_at_length(
    loader: Loader, tmp_path: Path, name: str, content: bytes, verdict: str, code: str
) -> None:
    row = load(loader, tmp_path / name, content)
    assert (row.verdict, row.code, row.cached) == (verdict, code, False)
    assert row.reason is not None
    assert name in row.reason


def test_a_file_that_is_not_there_is_missing(loader: Loader, tmp_path: Path) -> None:
    assert load(loader, tmp_path / "gone.wasm").verdict == "missing"


def test_another_capsule_than_its_manifest_announces_is_a_mismatch(
    loader: Loader, tmp_path: Path
) -> None:
    (tmp_path / "Capsule.toml").write_text(
        '[package]\nname = "prices"\nversion = "1.2"\n'
        f'[[component]]\nfile = "x.wat"\nhash = "{"0" * 64}"\n'
    )
    assert load(loader, tmp_path / "x.wat", "(module)").verdict == "mismatch"


def test_what_is_missing_of_imports_is_named(loader: Loader, tmp_path: Path) -> None:
    row = load(loader, tmp_path / "x.wat", '(module (import "env" "log" (func)))')
    assert [each.name for each in row.missing_imports] == ["env::log"]


def test_what_takes_too_much_to_compile_is_refused(
    compiler: Compiler, cache: ArtifactCache, tmp_path: Path
) -> None:
    tight = Loader(compiler, cache, compile_room(32 * MIB))
    row = load(tight, tmp_path / "bomb.wat", merge_bomb(300, 300))
    assert (row.verdict, row.code) == ("memory", "E319")


# What is known of it


def test_what_was_loaded_is_known_the_next_time(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(loader, HELLO)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(Compiler, "begin", never)
    assert load(loader, HELLO) == first._replace(cached=True)


@pytest.mark.parametrize(
    "content",
    [
        b"no capsule",
        b"(module (func unknown))",
        gzip.compress(bytes(20 * MIB), mtime=0),
        b'(module (import "env" "log" (func)) (memory 1))',
    ],
    ids=["no capsule", "invalid", "a bomb", "a missing import"],
)
def test_what_was_refused_is_known_the_next_time(
    loader: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    first = load(loader, tmp_path / "bad", content)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(Compiler, "begin", never)
    assert load(loader, tmp_path / "bad") == first


def test_what_a_run_refused_is_shown_with_all_that_it_says_of_itself(
    loader: Loader, cache: ArtifactCache, engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "x.wat"
    path.write_text('(module (import "env" "log" (func)) (memory 1))')
    with pytest.raises(MissingImport):
        loading.load(engine, path, cache)
    row = load(loader, path)
    assert (row.verdict, row.kind, row.min_memory_bytes) == ("imports", "module", PAGE)
    assert row.imports == ("env::log",)


def test_a_refusal_does_not_stand_for_the_same_content_under_a_name_that_says_more(
    loader: Loader, tmp_path: Path
) -> None:
    content = brotli.compress(b"(module (memory 1))")  # text, which nothing but the name tells
    assert load(loader, tmp_path / "x.wat", content).verdict == "not-wasm"
    assert load(loader, tmp_path / "x.wat.br", content).verdict == "ok"


def test_a_note_that_is_damaged_is_made_anew(
    loader: Loader, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(loader, HELLO)
    assert first.sha256 is not None
    for content in (b"{", b"[]", b'{"facts": 1}'):
        cache.findings(loader._target).take_note(first.sha256, content)
        again = load(loader, HELLO)
        assert again._replace(compile_s=None, compile_peak_bytes=None) == first._replace(
            cached=True, compile_s=None, compile_peak_bytes=None
        )


def replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_text("(module (memory 9))")
    other.replace(path)


def overwrite(path: Path) -> None:
    with path.open("r+") as file:
        file.write("(module (memory 3)")


def truncate(path: Path) -> None:
    with path.open("r+") as file:
        file.truncate(8)


@pytest.mark.parametrize(
    ("change", "first", "then"),
    [
        (replace, ("ok", 2 * PAGE), ("ok", 9 * PAGE)),
        (overwrite, ("unreadable", None), ("ok", 3 * PAGE)),
        (truncate, ("unreadable", None), ("truncated", None)),
        (Path.unlink, ("ok", 2 * PAGE), ("missing", None)),
    ],
    ids=["replaced", "overwritten", "truncated", "deleted"],
)
def test_a_file_that_changes_while_it_is_loaded_is_told_and_judged_anew_the_next_time(
    loader: Loader,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    first: tuple[str, int | None],
    then: tuple[str, int | None],
) -> None:
    """What was opened is read to its end, whatever its name leads to by then."""
    path = tmp_path / "x.wat"
    path.write_text("(module (memory 2))")
    begin, changed = Compiler.begin, list[bool]()

    def changing(self: Compiler, *words: Any, **settings: Any) -> Compilation:
        if not changed:
            change(path)
            changed.append(True)
        return begin(self, *words, **settings)

    monkeypatch.setattr(Compiler, "begin", changing)
    row, again = load(loader, path), load(loader, path)
    assert (row.verdict, row.min_memory_bytes) == first
    assert (again.verdict, again.min_memory_bytes) == then
    assert row.verdict == "ok" or "was changed" in (row.reason or "")
