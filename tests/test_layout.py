"""Where modules live, and which way imports go: the layer of a file is read off its folder."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from atectl.commands.app import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [path for top in ("atectl", "commands") for path in sorted((ROOT / top).rglob("*.py"))]

LAYERS = {
    "foundation": ("config", "errors", "finding", "inert", "records", "system", "units"),
    "accounting": ("accounting",),
    "mechanisms": ("arbitration", "capsule", "engine", "guard", "redis", "spill"),
    "services": ("batch", "budget", "health", "lease", "ledger_store", "load", "locks", "trace"),
    "commands": ("commands",),
}
"""Each folder or file of `atectl/` by its layer, the lowest layer first."""

RANK = {room: rank for rank, rooms in enumerate(LAYERS.values()) for room in rooms}

COMMAND_GROUPS = {module.partition(".")[0] for module in COMMANDS.values()}
"""Folders of `commands/` that are commands; the others are what these share."""


def module_of(path: Path) -> str:
    """`atectl.locks.release` for `atectl/locks/release.py`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    whole = ("atectl", *parts) if parts[0] == "commands" else parts
    return ".".join(whole[:-1] if whole[-1] == "__init__" else whole)


MODULES = {module_of(path): path for path in SOURCES}


class Import(NamedTuple):
    """What one import statement of a module names: a module of ours, or whatever else."""

    importer: str
    target: str

    @property
    def is_of_ours(self) -> bool:
        return self.target in MODULES


def imports_of(module: str) -> Iterator[Import]:
    """Every import of a module: inside functions and for type checkers alone, too."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (Import(module, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(package, node)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield Import(module, base if base in MODULES and inner not in MODULES else inner)


def _absolute(package: str, statement: ast.ImportFrom) -> str:
    """The dotted name that a `from` statement imports from."""
    if not statement.level:
        return statement.module or ""
    parts = package.split(".")
    kept = parts[: len(parts) - (statement.level - 1)]
    return ".".join([*kept, *([statement.module] if statement.module else [])])


@cache
def imports() -> list[Import]:
    """Every import of every module."""
    return [each for module in MODULES for each in imports_of(module)]


def room_of(module: str) -> str:
    """`locks` for `atectl.locks.release`; empty for the package itself and for the program."""
    parts = module.split(".")
    return "" if len(parts) < 2 or parts[1] == "__main__" else parts[1]


def importers_of(library: str) -> set[str]:
    return {
        each.importer
        for each in imports()
        if each.target == library or each.target.startswith(f"{library}.")
    }


def circles(arrows: Mapping[str, set[str]]) -> set[str]:
    """All that cannot be put in an order in which each comes after what it points to."""
    waiting = {start: set(ends) - {start} for start, ends in arrows.items()}
    while free := {start for start, ends in waiting.items() if not ends & set(waiting)}:
        for start in free:
            del waiting[start]
    return set(waiting)


def test_every_room_has_its_layer() -> None:
    rooms = {room_of(module) for module in MODULES} - {""}
    assert rooms == set(RANK)


def test_imports_go_down_the_layers_never_up() -> None:
    upward = [
        f"{each.importer} imports {each.target}"
        for each in imports()
        if each.is_of_ours
        and room_of(each.importer)
        and RANK.get(room_of(each.target), 0) > RANK[room_of(each.importer)]
    ]
    assert upward == []


def test_no_files_import_one_another_in_a_circle() -> None:
    arrows: dict[str, set[str]] = {module: set() for module in MODULES}
    for each in imports():
        if each.is_of_ours:
            arrows[each.importer].add(each.target)
    assert circles(arrows) == set()


def test_no_rooms_import_one_another_in_a_circle() -> None:
    arrows: dict[str, set[str]] = {}
    for each in imports():
        if each.is_of_ours and room_of(each.importer) and room_of(each.target):
            arrows.setdefault(room_of(each.importer), set()).add(room_of(each.target))
    assert circles(arrows) == set()


def test_a_circle_would_be_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) >= {"b", "c"}


def test_no_command_group_imports_another() -> None:
    def group_of(module: str) -> str:
        parts = module.split(".")
        is_grouped = room_of(module) == "commands" and parts[2:3] != []
        return parts[2] if is_grouped and parts[2] in COMMAND_GROUPS else ""

    across = [
        f"{each.importer} imports {each.target}"
        for each in imports()
        if group_of(each.importer)
        and group_of(each.target)
        and group_of(each.importer) != group_of(each.target)
    ]
    assert across == []


def test_nothing_imports_the_commands_but_the_program() -> None:
    importers = {each for each in importers_of("atectl.commands") if room_of(each) != "commands"}
    assert importers == {"atectl.__main__"}
    assert importers_of("commands") == set()


def test_accounting_imports_the_standard_library_and_its_errors_alone() -> None:
    targets = {each.target for each in imports_of("atectl.accounting")} - {"atectl.errors"}
    assert {target.partition(".")[0] for target in targets} <= sys.stdlib_module_names


def test_two_modules_alone_touch_the_generated_bindings() -> None:
    users = {"atectl.engine.bindings", "atectl.engine.component_calls"}
    assert importers_of("wasmtime._bindings") == users


@pytest.mark.parametrize("library", ["wasmtime", "sqlite3", "redis"])
def test_no_command_touches_the_engine_or_a_store_itself(library: str) -> None:
    assert {each for each in importers_of(library) if room_of(each) == "commands"} == set()


@pytest.mark.parametrize(
    ("library", "home"), [("sqlite3", "atectl.ledger_store.sqlite."), ("redis", "atectl.redis.")]
)
def test_one_room_alone_imports_a_client_library(library: str, home: str) -> None:
    assert {each for each in importers_of(library) if not each.startswith(home)} == set()


@pytest.mark.parametrize("library", ["dask", "distributed"])
def test_dask_is_known_only_to_what_carries_messages_of_fleets(library: str) -> None:
    fleet = "atectl.batch.fleet"
    assert importers_of(library) <= {f"{fleet}.{each}" for each in ("carrier", "joining", "link")}


@pytest.mark.parametrize("library", ["typer", "rich"])
def test_the_core_neither_parses_nor_draws(library: str) -> None:
    assert {each for each in importers_of(library) if room_of(each) != "commands"} == set()


def test_what_is_packaged_is_what_is_there() -> None:
    """Setuptools leaves out in silence what is not listed."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = settings["tool"]["setuptools"]["packages"]
    packages = [module for module, path in MODULES.items() if path.name == "__init__.py"]
    assert sorted(listed) == sorted(packages)


def test_a_package_is_a_docstring_and_nothing_else() -> None:
    """What stood there would be paid for by every command."""
    for path in SOURCES:
        body = ast.parse(path.read_text()).body
        assert ast.get_docstring(ast.parse(path.read_text())), path
        if path.name == "__init__.py" and path.parent != ROOT / "atectl":
            assert len(body) == 1, path


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone")
def test_the_top_level_has_nothing_that_came_there_by_accident() -> None:
    listed = subprocess.check_output(["git", "-C", ROOT, "ls-files", "-z"], text=True)
    found = {path.partition("/")[0] for path in listed.split("\0")} - {""}
    assert {name for name in found if not name.startswith(".")} == {
        *("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "README.md"),
        *("atectl", "commands", "completions", "fixtures", "pyproject.toml", "tests"),
    }


def test_the_top_of_each_tree_is_small() -> None:
    def shown(folder: str) -> list[Path]:
        return [path for path in (ROOT / folder).iterdir() if path.name != "__pycache__"]

    core, commands = shown("atectl"), shown("commands")
    assert len([path for path in core if path.is_file()]) <= 10
    assert len([path for path in core if path.is_dir()]) <= 16
    assert len([path for path in commands if path.is_file()]) <= 4


_EACH_ALONE = """
import importlib, os, sys
for module in sys.argv[1:]:
    importlib.import_module(module)
# What is not ours is loaded once for all.
for module in [name for name in sys.modules if name.partition(".")[0] == "atectl"]:
    del sys.modules[module]
for module in sys.argv[1:]:
    child = os.fork()
    if not child:
        try:
            importlib.import_module(module)
        except BaseException as fault:
            print(module, repr(fault))
            os._exit(1)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.slow
def test_every_module_imports_alone_in_a_fresh_process() -> None:
    modules = [module for module in MODULES if not module.endswith("__main__")]
    ran = subprocess.run(
        [sys.executable, "-c", _EACH_ALONE, *modules],
        capture_output=True, text=True, check=True, timeout=280,
    )  # fmt: skip
    assert ran.stdout == ""
