"""What a command imports, by `sys.modules` in a process of its own, and which way imports go."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from atectl.errors import OTHER_MODULES

ROOT = Path(__file__).resolve().parent.parent
HELLO = ROOT / "fixtures" / "capsules" / "hello.wat"
FITS = str(ROOT / "fixtures" / "budgets" / "fits.toml")

ENGINE = {"wasmtime"}
REMOTE = {"redis"}
DRAWING = {"rich"}
STORING = {"sqlite3"}
PROCESSES = {"psutil"}

_AT_THE_END = """
import sys
from atectl.commands.main import dispatch
status = dispatch(sys.argv[1:])
print("MODULES", status, *{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""

_AS_THE_GUEST_STARTS = """
import sys
import threading
from atectl.commands.main import dispatch
start = threading.Thread.start
def tell_and_start(thread):
    if thread.name.startswith("lease "):
        print("MODULES", 0, *{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
    start(thread)
threading.Thread.start = tell_and_start
sys.exit(dispatch(sys.argv[1:]))
"""


def _imported(*arguments: str, program: str = _AT_THE_END, stdin: str = "") -> set[str]:
    """The top-level modules that `atectl` with these arguments has imported."""
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        input=stdin,
        text=True,
        check=True,
        timeout=60,
    )
    told = [line.split() for line in ran.stderr.splitlines() if line.startswith("MODULES ")]
    assert len(told) == 1, ran.stderr
    _, status, *modules = told[0]
    assert status == "0", ran.stderr
    return set(modules)


HEAVY = ENGINE | REMOTE | PROCESSES


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [
        (("--version",), HEAVY | DRAWING | STORING),
        (("--help",), HEAVY | STORING),
        (("explain",), HEAVY | STORING),
        (("explain", "-o", "json"), HEAVY | STORING | DRAWING),
        (("ledger", "ls", "-o", "json"), HEAVY | DRAWING),
        (("completions", "show", "bash"), HEAVY | STORING | DRAWING),
        (("budget", "init", "-"), HEAVY | STORING | DRAWING),
        (("budget", "check", FITS, "--baseline", "50MiB", "-o", "json"), HEAVY | STORING | DRAWING),
        (("budget", "plan", "-o", "json"), HEAVY | DRAWING),
        (("completions", "candidates", "--", "ledger show", "principal", ""), HEAVY | DRAWING),
        (("completions", "candidates", "--", "explain", "code", ""), HEAVY | DRAWING | STORING),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_imports_no_library_it_does_not_need(
    arguments: tuple[str, ...], spared: set[str]
) -> None:
    assert not _imported(*arguments) & spared


def test_the_guard_sees_what_is_imported() -> None:
    assert _imported("explain") >= DRAWING
    assert "typer" in _imported("--version")


def test_a_guest_off_a_terminal_waits_for_no_import_it_does_not_need() -> None:
    imported = _imported("run", str(HELLO), program=_AS_THE_GUEST_STARTS)
    assert imported >= ENGINE
    spared = {"typer", "dataclasses", "inspect", "json"} | DRAWING | REMOTE | PROCESSES
    assert not imported & spared


def test_a_run_off_a_terminal_draws_nothing_afterwards_either() -> None:
    imported = _imported("run", str(HELLO))
    assert not imported & ({"typer"} | DRAWING | REMOTE | PROCESSES)


def test_a_batch_off_a_terminal_imports_nothing_it_does_not_need() -> None:
    job = json.dumps({"capsule": str(HELLO)})
    imported = _imported("batch", "-", "--ledger", "none", stdin=f"{job}\n")
    assert imported >= ENGINE
    assert not imported & ({"typer"} | DRAWING | STORING | REMOTE | PROCESSES)
    assert not imported & {"ast", "concurrent", "copy", "dataclasses", "datetime", "difflib"}
    assert not imported & {"inspect", "logging", "subprocess", "tokenize"}


def test_a_run_without_an_actor_imports_nothing_of_locks() -> None:
    program = _AS_THE_GUEST_STARTS.replace('name.partition(".")[0]', "name")
    ours = {name for name in _imported("run", str(HELLO), program=program) if "lock" in name}
    assert not {name for name in ours if name.startswith("atectl")}


def test_a_run_off_a_terminal_imports_no_errors_of_budgets_locks_or_redis() -> None:
    program = _AT_THE_END.replace('name.partition(".")[0]', "name")
    imported = _imported("run", str(HELLO), program=program)
    assert "atectl.errors" in imported
    assert not imported & {f"atectl.{module}" for module in OTHER_MODULES}


def test_holding_a_lock_around_a_command_imports_no_engine() -> None:
    program = (
        "import sys, atectl.held_command, atectl.redis_connection, atectl.commands.locks_hold\n"
        "print('MODULES 0', *sys.modules, file=sys.stderr)"
    )
    imported = _imported(program=program)
    assert "redis" in imported
    assert not imported & (ENGINE | DRAWING | STORING | PROCESSES)


# Which way imports go

LAYERS = {
    "foundation": (
        "budget_errors",
        "clock",
        "config",
        "errors",
        "finding",
        "host_ceilings",
        "host_memory",
        "inert",
        "lock_errors",
        "pagemap",
        "processes",
        "redis_errors",
        "scalars",
        "spill_room",
        "units",
    ),
    "accounting": ("accounting",),
    "mechanisms": (
        "actor_keys",
        "apart",
        "actor_records",
        "arbiter",
        "arbitration",
        "artifact_cache",
        "bindings",
        "cache_folder",
        "capsule",
        "capsule_interface",
        "child_guard",
        "capsule_shelf",
        "compilation",
        "component_values",
        "engine",
        "foreground",
        "guarded_child",
        "host_view",
        "held_up_stop",
        "holder_record",
        "invoke",
        "key_reading",
        "linear_memory",
        "lock_audit",
        "lock_heartbeat",
        "lock_verdicts",
        "redis_clients",
        "redis_connection",
        "redis_faults",
        "redis_settings",
        "seats",
        "jobs",
        "linear_memory",
        "spill",
        "store_pool",
        "trace",
        "trace_reading",
        "traps",
        "wasi",
        "wasm_binary",
    ),
    "services": (
        "baseline",
        "baseline_child",
        "compile_child",
        "batch",
        "batch_overview",
        "budget",
        "budget_bounds",
        "charged_locks",
        "budget_check",
        "budget_demand",
        "budget_plan",
        "budget_writing",
        "completion_files",
        "entry",
        "health",
        "held_command",
        "host",
        "ledger_store",
        "lock_details",
        "lock_holder",
        "lock_release",
        "locks",
        "machine_health",
        "outcome",
        "replay",
        "simulation",
        "trace_check",
        "trace_demand",
        "trace_summary",
    ),
    "commands": ("commands",),
}
"""Each module by its layer, the lowest layer first. An import goes to its own layer or down."""

_RANK = {module: rank for rank, modules in enumerate(LAYERS.values()) for module in modules}


class Import(NamedTuple):
    """What one import statement names, and whether it runs when its module is imported."""

    importer: Path
    target: str
    at_start: bool


def _imports(path: Path) -> Iterator[Import]:
    """Every import in a file, those inside functions too, but none for type checkers alone."""

    def visit(node: ast.AST, at_start: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.Import):
                yield from (Import(path, alias.name, at_start) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = _absolute(path, child)
                yield from (Import(path, f"{base}.{alias.name}", at_start) for alias in child.names)
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from visit(child, at_start and not is_function)

    yield from visit(ast.parse(path.read_text()), True)


def _absolute(path: Path, statement: ast.ImportFrom) -> str:
    """The dotted name that a `from` statement imports from."""
    if not statement.level:
        return statement.module or ""
    folders = path.relative_to(ROOT).parts[: -statement.level]
    package = ["atectl", *folders] if folders[0] == "commands" else list(folders)
    return ".".join([*package, *([statement.module] if statement.module else [])])


def _all_imports(*folders: str) -> list[Import]:
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [each for path in paths for each in _imports(path)]


def _layered(dotted: str) -> str:
    """`host` for `atectl.host.Lease`; empty for what is not of atectl."""
    top, _, below = dotted.partition(".")
    return below.partition(".")[0] if top == "atectl" else ""


def _own_module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0] if parts[0] == "commands" else parts[1]


def _importers(library: str, *folders: str) -> set[str]:
    return {
        str(each.importer.relative_to(ROOT))
        for each in _all_imports(*folders)
        if each.target == library or each.target.startswith(f"{library}.")
    }


def test_every_module_of_the_core_has_its_layer() -> None:
    modules = {_own_module(path) for path in (ROOT / "atectl").rglob("*.py")}
    assert modules - {"__init__", "__main__"} <= set(_RANK)


def test_imports_go_down_the_layers_never_up() -> None:
    upward = [
        f"{each.importer.relative_to(ROOT)} imports {each.target}"
        for each in _all_imports("atectl", "commands")
        if each.importer.name != "__main__.py"
        and _RANK.get(_layered(each.target), 0) > _RANK.get(_own_module(each.importer), len(LAYERS))
    ]
    assert upward == []


def test_nothing_imports_the_commands_but_the_program() -> None:
    assert _importers("atectl.commands", "atectl") == {"atectl/__main__.py"}
    assert _importers("commands", "atectl") == set()


def test_accounting_imports_the_standard_library_and_its_errors_alone() -> None:
    targets = {each.target for each in _imports(ROOT / "atectl" / "accounting.py")}
    foreign = {target for target in targets if not target.startswith("atectl.errors.")}
    assert {target.partition(".")[0] for target in foreign} <= sys.stdlib_module_names


def test_one_module_alone_touches_the_generated_bindings() -> None:
    assert _importers("wasmtime._bindings", "atectl", "commands") == {"atectl/bindings.py"}


@pytest.mark.parametrize("library", ["wasmtime", "sqlite3", "redis"])
def test_no_command_touches_the_engine_or_a_store_itself(library: str) -> None:
    assert _importers(library, "commands") == set()


def test_the_ledger_s_stores_alone_import_sqlite() -> None:
    for importer in _importers("sqlite3", "atectl"):
        assert importer.startswith("atectl/ledger_store/")


def test_the_connection_s_modules_alone_import_redis() -> None:
    for importer in _importers("redis", "atectl"):
        assert importer.startswith("atectl/redis_")


@pytest.mark.parametrize("library", ["typer", "rich"])
def test_the_core_neither_parses_nor_draws(library: str) -> None:
    assert _importers(library, "atectl") == set()


def test_modules_of_the_core_import_one_another_in_no_circle() -> None:
    waiting: dict[str, set[str]] = {}
    for each in _all_imports("atectl"):
        module, target = _own_module(each.importer), _layered(each.target)
        if each.at_start and target in _RANK and target != module:
            waiting.setdefault(module, set()).add(target)
    while free := {module for module, targets in waiting.items() if not targets & set(waiting)}:
        for module in free:
            del waiting[module]
    assert waiting == {}
