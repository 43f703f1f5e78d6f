"""A thousand small modules in a batch, compiled and then from the cache, beside one wasmtime."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.measuring import Row

COUNT = 1000
FUNCTIONS = 100

_FUNCTION = """(func (param i32) (result i32) (local i32)
  (local.set 1 (i32.mul (local.get 0) (i32.const {0})))
  (loop (local.set 1 (i32.add (local.get 1) (i32.const 7)))
    (br_if 0 (i32.lt_u (local.get 1) (i32.const 1000))))
  (local.get 1))"""

_COMPILES = """
import sys
from pathlib import Path
from wasmtime import Module
from atectl.engine.metered import Engine
engine = Engine().native
for path in sorted(Path(sys.argv[1]).iterdir()):
    Module(engine, path.read_bytes()).serialize()
"""


def rows(atectl: str, environment: Mapping[str, str], folder: Path) -> list[Row]:
    """A batch that compiles and runs each of them, and another; one process that compiles all."""
    modules = folder / "small"
    _make(modules)
    cache = folder / "small-cache"
    lines = "".join(json.dumps({"capsule": str(each)}) + "\n" for each in sorted(modules.iterdir()))
    own = {**environment, "XDG_CACHE_HOME": str(cache)}
    batch = [atectl, "batch", "-", "--ledger", "none"]
    bare_s = _seconds([sys.executable, "-c", _COMPILES, str(modules)], dict(os.environ))
    cold_s, warm_s = (_seconds(batch, own, lines) for _ in range(2))
    shutil.rmtree(cache)
    return [
        Row(
            f"{COUNT:,} modules of {FUNCTIONS} functions, cold: wall",
            cold_s / bare_s,
            "×",
            1.5,
            f"{cold_s:.1f} s / {bare_s:.1f} s compiled in one wasmtime process",
        ),
        Row("the same, warm / cold: wall", warm_s / cold_s, "×", 0.1, f"{warm_s:.1f} s"),
    ]


def _make(folder: Path) -> None:
    from wasmtime import wat2wasm

    folder.mkdir()
    functions = "".join(_FUNCTION.format(number + 3) for number in range(FUNCTIONS))
    for number in range(COUNT):
        start = f'(func (export "_start") (drop (i32.const {number})))'
        binary = wat2wasm(f"(module {functions} {start})")
        (folder / f"{number:04}.wasm").write_bytes(bytes(binary))


def _seconds(command: list[str], environment: Mapping[str, str], lines: str = "") -> float:
    began = time.perf_counter()
    subprocess.run(
        command,
        input=lines.encode(),
        env=dict(environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - began
