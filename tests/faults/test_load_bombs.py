"""Twelve bombs loaded at once beside a good capsule: each has a verdict, within bounds."""

import gzip
import json
from pathlib import Path
from typing import Any

import brotli
import pytest
from backports import zstd

from tests.conftest import CAPSULES
from tests.support.bombs import doubling_component, merge_bomb, passive_functions
from tests.support.program import ATECTL
from tests.support.wasm_bytes import (
    COMPONENT_HEADER,
    MODULE_HEADER,
    leb,
    section,
    vector,
)
from tests.support.watched_process import Watched, run_watched

MIB = 1 << 20
GIB = 1 << 30
HOST_BYTES = 120 * MIB
_TYPE, _FUNCTIONS, _CODE = 1, 3, 10
_COMPONENT_TYPE = 7
_NO_TYPE = section(_TYPE, vector(b"\x60\0\0"))


def module_of_one(body: bytes) -> bytes:
    """A module with one function, whose body this is, from its locals on."""
    function = section(_FUNCTIONS, vector(b"\0"))
    return MODULE_HEADER + _NO_TYPE + function + section(_CODE, vector(leb(len(body)) + body))


def nested_blocks(count: int) -> bytes:
    return module_of_one(b"\0" + b"\x02\x40" * count + b"\x0b" * count + b"\x0b")


def many_locals(count: int) -> bytes:
    return module_of_one(vector(leb(count) + b"\x7f") + b"\x0b")


def many_functions(count: int) -> bytes:
    functions = section(_FUNCTIONS, leb(count) + bytes(count))
    return MODULE_HEADER + _NO_TYPE + functions + section(_CODE, leb(count) + b"\x02\0\x0b" * count)


def nested_component_types(depth: int) -> bytes:
    """A type of a component, within which is one of a component, and so on."""
    kind = b"\x41\0"
    opened = b"".join(b"\x41\x01\x01" for _ in range(depth))
    return COMPONENT_HEADER + section(_COMPONENT_TYPE, b"\x01" + opened + kind)


def zeros(compressed: bytes, times: int) -> bytes:
    """So many parts behind one another, as gzip and zstd take them."""
    return compressed * times


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bombs")
    part = bytes(16 * MIB)
    parts = 10 * GIB // len(part)
    for name, content in {
        "merge.wat": merge_bomb(1000, 800).encode(),
        "doubling.wat": doubling_component(40).encode(),
        "elements.wat": passive_functions(260_000).encode(),
        "blocks.wasm": nested_blocks(1_000_000),
        "functions.wasm": many_functions(1_000_000),
        "locals.wasm": many_locals(50_000),
        "more-locals.wasm": many_locals(50_001),
        "types.wasm": nested_component_types(100_000),
        "text.wat": b"(module" + b"(func)" * (100 * MIB // 6) + b")",
        "zeros.gz": zeros(gzip.compress(part), parts),
        "zeros.zst": zeros(zstd.compress(part), parts),
        "zeros.br": brotli.compress(bytes(512 * MIB), quality=1),
        "hello.wat": (CAPSULES / "hello.wat").read_bytes(),
    }.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def loaded(bombs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Watched, dict[str, Any]]:
    limits = ("--limit", "768MiB", "--compile-mem", "256MiB", "--compile-deadline", "3s")
    command = [ATECTL, "load", "-r", bombs, "--no-cache", "--jobs", "12", *limits]
    ended = run_watched([*command, "-o", "json"], timeout_s=200)
    report = json.loads(ended.stdout)
    return ended, {**report, "rows": {Path(row["path"]).name: row for row in report["capsules"]}}


pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load bombs")]


def test_each_has_a_verdict_that_blames_it_and_nobody_else(
    loaded: tuple[Watched, dict[str, Any]],
) -> None:
    ended, report = loaded
    assert ended.status == 1
    assert ended.stderr == ""
    found = {name: row["verdict"] for name, row in report["rows"].items()}
    assert len(found) == 13
    bounds = {"memory", "time"}
    assert found.pop("hello.wat") == "ok"
    assert found.pop("doubling.wat") == "instances"
    assert {found.pop(f"zeros.{kind}") for kind in ("gz", "zst", "br")} == {"bomb"}
    assert found.pop("more-locals.wasm") == "invalid"
    assert found.pop("text.wat") in bounds | {"invalid"}
    assert found.pop("types.wasm") in bounds | {"invalid"}
    assert set(found.values()) <= bounds | {"ok", "invalid"}


def test_the_process_itself_holds_nothing_of_them(loaded: tuple[Watched, dict[str, Any]]) -> None:
    ended, report = loaded
    assert ended.peak_resident_bytes < HOST_BYTES
    assert report["host_peak_bytes"] < HOST_BYTES


def test_all_together_stay_within_what_loading_may_take(
    loaded: tuple[Watched, dict[str, Any]],
) -> None:
    assert loaded[1]["peak_bytes"] < 1536 * MIB
