"""The engine's functions are declared as the package itself declares them, when they are used."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from atectl.engine.declarations import DECLARED, VERSION
from tests.support.python_child import in_child

needs_the_version_of_the_table = pytest.mark.skipif(
    version("wasmtime") != VERSION,
    reason="another version of wasmtime declares everything itself: make the table anew",
)

ALL = """
import ctypes
from atectl.engine.bindings import ffi
from atectl.engine.declarations import DECLARED
def told(type_):
    if hasattr(type_, "WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED"):
        members = {name: each.value for name, each in vars(type_).items() if "TRAP" in name}
        return str(sorted(members.items()))
    if type_ is None or not isinstance(type_, type):
        return str(type_)
    if issubclass(type_, ctypes._Pointer):
        return "*" + type_._type_.__name__
    if issubclass(type_, ctypes._CFuncPtr):
        return f"{told(type_._restype_)}({','.join(map(told, type_._argtypes_))})"
    if issubclass(type_, (ctypes.Structure, ctypes.Union)):
        fields = [(name, told(each)) for name, each in vars(type_).get("_fields_", [])]
        return f"{type_.__name__} {ctypes.sizeof(type_)} {fields}"
    if issubclass(type_, ctypes.Array):
        return type_.__name__
    return type_.__name__
for name in sorted(DECLARED):
    if DECLARED[name].startswith("function"):
        function = getattr(ffi, "_" + name)
        print(name, told(function.restype), *map(told, function.argtypes))
    else:
        print(name, told(getattr(ffi, name)))
"""


@needs_the_version_of_the_table
def test_the_table_is_the_one_that_the_installed_package_gives() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "tests.support.engine_declarations"],
        capture_output=True,
        text=True,
        check=True,
    )
    from atectl.engine import declarations

    assert declarations.__file__ is not None
    assert Path(declarations.__file__).read_text() == made.stdout


@needs_the_version_of_the_table
def test_whatever_the_table_declares_is_what_the_package_would_declare() -> None:
    theirs = "import wasmtime" + ALL
    ours = in_child(ALL)
    assert ours == in_child(theirs)
    assert len(ours.splitlines()) == len(DECLARED)


@needs_the_version_of_the_table
def test_an_engine_declares_what_it_uses_and_little_else() -> None:
    declared = in_child(
        "from atectl.engine.metered import Engine, wasmtime\n"
        "engine = Engine()\n"
        "import sys; print(len(vars(sys.modules['wasmtime._bindings'])))"
    )
    assert int(declared) < 100


@needs_the_version_of_the_table
def test_whatever_makes_an_object_declares_what_deletes_it() -> None:
    missing = in_child(
        "from atectl.engine.bindings import ffi\n"
        "from atectl.engine.declarations import DECLARED\n"
        "ends = '_delete'\n"
        "for name in [name for name in DECLARED if name.endswith(ends)]:\n"
        "    (deleted,) = DECLARED[name].split()[2:]\n"
        "    getattr(ffi, deleted.removeprefix('*'))\n"
        "    if '_' + name not in vars(ffi) and name not in vars(ffi):\n"
        "        print(name)"
    )
    assert missing == ""


def test_a_package_that_was_imported_before_declares_everything_itself() -> None:
    declared = in_child(
        "import wasmtime\n"
        "from atectl.engine.metered import Engine\n"
        "engine = Engine()\n"
        "import sys; print(len(vars(sys.modules['wasmtime._bindings'])))"
    )
    assert int(declared) > 700


def test_another_version_of_the_package_declares_everything_itself() -> None:
    declared = in_child(
        "import atectl.engine.declarations as declarations\n"
        "declarations.VERSION = '0.0.0'\n"
        "from atectl.engine.metered import Engine\n"
        "engine = Engine()\n"
        "import sys; print(len(vars(sys.modules['wasmtime._bindings'])))"
    )
    assert int(declared) > 700


def test_an_engine_that_lives_until_the_interpreter_ends_goes_without_a_word() -> None:
    child = subprocess.run(
        [sys.executable, "-c", "from atectl.engine.metered import Engine; engine = Engine()"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stderr == ""
