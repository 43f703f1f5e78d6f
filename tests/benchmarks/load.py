"""Loading: twelve large capsules beside a loader that holds everything, and a cold run."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.measuring import Row, in_turn
from tests.benchmarks.processes import cpu_ratio, cpython, wasmtime_binary

COUNT = 12
LIMIT = "1GiB"
MIB = 1 << 20

_COMPILES = """
import sys
from pathlib import Path
from wasmtime import Module
from atectl.engine.metered import Engine
Module(Engine().native, Path(sys.argv[1]).read_bytes())
"""


def make_capsules(folder: Path, count: int = COUNT) -> None:
    """CPython so many times, each with a custom section of its own: brotli, then hex."""
    import brotli

    from tests.support.wasm_bytes import custom

    binary = Path(cpython()).read_bytes()
    folder.mkdir(exist_ok=True)
    for number in range(count):
        distinct = custom("distinct", number.to_bytes(8, "big") + os.urandom(64))
        compressed = brotli.compress(binary + distinct, quality=4)
        (folder / f"cpython{number:02}.wasm.br.hex").write_text(compressed.hex())


def beside_naive(atectl: str, environment: Mapping[str, str], folder: Path) -> list[Row]:
    """`atectl load` under a limit, and the naive loader, on the same capsules."""
    capsules = folder / "capsules"
    make_capsules(capsules)
    # Beside other work of the machine, a compilation may take longer than it should at most.
    words = ["load", "-r", str(capsules), "--no-cache", "--limit", LIMIT, "--baseline", "naive"]
    words += ["--compile-deadline", "10m"]
    ran = subprocess.run(
        [atectl, *words, "-o", "json", "--chart", str(folder / "load.svg")],
        env=dict(environment),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    report = json.loads(ran.stdout)
    naive = report["naive"]
    if naive["loaded"] != COUNT or report["bad"]:
        said = {row["reason"] for row in report["capsules"]}
        raise RuntimeError(f"not all capsules could be loaded: {said}")
    peak, naive_peak = report["peak_bytes"], naive["peak_bytes"]
    return [
        Row(
            f"{COUNT} CPythons under {LIMIT}: peak of all processes",
            peak / naive_peak,
            "×",
            0.25,
            f"{peak // MIB} MiB / {naive_peak // MIB} MiB",
        ),
        Row(
            "the same: wall",
            report["wall_s"] / naive["wall_s"],
            "×",
            1.1,
            f"{report['wall_s']:.0f} s / {naive['wall_s']:.0f} s",
        ),
        Row("atectl's own process", report["host_peak_bytes"] / MIB, " MiB", 120, "at most"),
    ]


def cold_run(atectl: str, environment: Mapping[str, str]) -> list[Row]:
    """A cold `atectl run` of CPython beside the wasmtime command, and beside compiling it whole."""
    program = [cpython(), "-c", "pass"]
    ours, command, whole = in_turn(
        [
            [atectl, "run", "--no-cache", "--ledger", "none", *program],
            [wasmtime_binary(), "run", "-C", "cache=n", *program],
            [sys.executable, "-c", _COMPILES, cpython()],
        ],
        environment,
        3,
    )
    peak, command_peak = ours.resident_bytes, command.resident_bytes
    return [
        cpu_ratio("CPython, cold / the wasmtime command", ours, command, 1.0),
        Row(
            "the same: peak resident",
            peak / command_peak,
            "×",
            1.0,
            f"{peak // MIB} MiB / {command_peak // MIB} MiB",
        ),
        Row(
            "CPython, cold / compiled with its data: wall",
            ours.wall_s / whole.wall_s,
            "×",
            1.1,
            f"{ours.wall_s:.1f} s / {whole.wall_s:.1f} s",
        ),
    ]


if __name__ == "__main__":
    make_capsules(Path(sys.argv[1]))
