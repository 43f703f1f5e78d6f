"""What loading came to, as it looks."""

import pytest

from atectl.capsule.interface import MissingImportNote
from atectl.commands.load.progress import progress_line
from atectl.commands.load.view import load_view
from atectl.load.results import LoadedCapsule, LoadReport
from tests.support.golden import WIDTHS, assert_looks_like, drawn

MIB = 1 << 20

ROWS = (
    LoadedCapsule(
        "capsules/python-3.12.0.wasm",
        "ok",
        kind="module",
        form="binary",
        imports=tuple(f"wasi::{n}" for n in range(43)),
        min_memory_bytes=10 * MIB,
        compile_s=9.68,
        compile_peak_bytes=749 * MIB,
        artifact_bytes=26 * MIB,
    ),
    LoadedCapsule(
        "specs.jsonl#2",
        "ok",
        package="prices",
        kind="component",
        form="binary",
        encodings=("spec", "hex", "brotli"),
        min_memory_bytes=1,
        artifact_bytes=12_345,
        cached=True,
    ),
    LoadedCapsule("notes.txt", "not-wasm", "E203", "notes.txt is not WebAssembly: \x1b[31m"),
    LoadedCapsule(
        "sub/wants.wasm",
        "imports",
        "E207",
        "wants.wasm imports env::log, a function, which atectl does not provide",
        kind="module",
        form="text",
        imports=("env::log", "env::other"),
        missing_imports=(MissingImportNote("env::log", "function", "it is not provided", ""),),
        min_memory_bytes=65_536,
    ),
    LoadedCapsule(
        "sub/large.wasm",
        "unfit",
        reason="large.wasm needs 64MiB to start, over the 16MiB that it is to fit",
        kind="module",
        form="binary",
        min_memory_bytes=64 * MIB,
        artifact_bytes=MIB,
    ),
)


@pytest.mark.parametrize("width", WIDTHS)
def test_good_and_bad_ones(width: int) -> None:
    report = LoadReport(ROWS, 3, 12.3, 1 << 30, 812 * MIB, 45 * MIB)
    assert_looks_like(f"load-{width}", drawn(load_view(report), width))


def test_all_are_well() -> None:
    report = LoadReport(ROWS[:2], 0, 0.5, 1 << 30, None, None)
    assert drawn(load_view(report), 80).splitlines()[-1] == "2 ok · 0.50s"


@pytest.mark.parametrize(
    ("done", "done_bytes", "took_s", "line"),
    [
        (0, 0, 0.0, "loading .................... 0 of 4"),
        (1, 25 * MIB, 10.0, "loading #####............... 1 of 4, 2.5 MiB/s, 0.1/s, 30.0s left"),
        (4, 100 * MIB, 10.0, "loading #################### 4 of 4, 10 MiB/s, 0.4/s"),
    ],
)
def test_how_far_it_has_come(done: int, done_bytes: int, took_s: float, line: str) -> None:
    assert progress_line(done, 4, done_bytes, 100 * MIB, took_s) == line
