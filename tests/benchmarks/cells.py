"""What a cell costs, and a process for each job beside the wasmtime command."""

import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from tests.benchmarks.batch import in_turn_with_xargs
from tests.benchmarks.measuring import Row
from tests.benchmarks.processes import CAPSULES

CELLS = 40
HELLOS = 500
MIB = 1 << 20


def making() -> list[Row]:
    """A cell, from the wish for it until it answers, and what it holds of its own then."""
    from atectl.batch.cells.cell import Cell
    from atectl.batch.cells.cells import SERVING
    from atectl.batch.cells.settings import CellSettings
    from atectl.capsule.compiler import Compiler
    from atectl.engine.metered import Engine
    from atectl.system.held import Held
    from atectl.system.memory import private_bytes

    told = CellSettings(256, 0).as_text()
    took, held = [], []
    with Compiler(Engine()) as compiler:
        compiler.prepare()
        for _ in range(CELLS):
            began = time.perf_counter()
            cell = Cell(compiler.fork_server(SERVING, told), "anybody", Held(0, 0))
            cell.ask({"do": "read"})
            took.append(time.perf_counter() - began)
            held.append(private_bytes(cell.pid) or 0)
            cell.close()
    return [
        Row("a new cell: until it answers", median(took) * 1000, " ms", 6, f"of {CELLS}"),
        Row("a new cell: memory of its own", median(held) / MIB, " MiB", 6, "before its first job"),
    ]


def one_for_each(atectl: str, environment: Mapping[str, str], folder: Path) -> list[Row]:
    """A process for each job, beside a wasmtime command for each."""
    hello = [str(CAPSULES / "hello.wat")]
    ours, theirs = in_turn_with_xargs(
        atectl, environment, folder, hello, HELLOS, "--isolate", "job"
    )
    return [
        Row(
            f"{HELLOS} × hello.wat, each in a cell of its own: wall",
            ours.wall_s / theirs.wall_s,
            "×",
            1.3,
            f"{ours.wall_s * 1000 / HELLOS:.2f} ms / {theirs.wall_s * 1000 / HELLOS:.2f} ms each",
        )
    ]
