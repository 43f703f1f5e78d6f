"""The table in `atectl/engine/declarations.py`, made from the installed package.

`python -m tests.support.engine_declarations > atectl/engine/declarations.py` makes it anew, and
is to be called when another version of wasmtime is installed.
"""

import ctypes
import json
import re
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from typing import Any

import wasmtime
from wasmtime import _bindings, _ffi

from atectl.engine.lazy_bindings import SIMPLE_TYPES

ROOT = Path(__file__).parents[2]
_SIMPLE = {type_: word for word, type_ in SIMPLE_TYPES.items()}


def table() -> str:
    """The text of that file."""
    declared: dict[str, str] = {}
    for name in sorted(_used()):
        _declare(name, getattr(_bindings, name), declared)
    lines = [f"    {json.dumps(name)}: {json.dumps(declared[name])}," for name in sorted(declared)]
    return "\n".join(
        [
            '"""What the engine\'s C functions take and return. Generated: do not edit.',
            "",
            "`python -m tests.support.engine_declarations` prints this file. A declaration is its",
            "kind, and the types of a function's result and arguments, the fields of a structure,",
            "the members of an enumeration, or the type that an alias means. `*` stands for a",
            "pointer to what follows, parentheses for a callback with its result and arguments,",
            "brackets for an array's length.",
            '"""',
            "",
            "# ruff: noqa: E501",
            "",
            f'VERSION = "{version("wasmtime")}"',
            '"""The version of the package that these were made from."""',
            "",
            "DECLARED = {",
            *lines,
            "}",
            "",
        ]
    )


def _used() -> set[str]:
    """The names of the bindings that the package's classes or atectl mention."""
    package = Path(wasmtime.__file__).parent
    sources = [path for path in package.rglob("*.py") if path.name != "_bindings.py"]
    sources += [path for path in (ROOT / "atectl").rglob("*.py") if path.name != "declarations.py"]
    words = {
        word.removeprefix("_")
        for path in sources
        for word in re.findall(r"\b_?was\w+", path.read_text())
    }
    return words & {name for name, value in vars(_bindings).items() if not _is_elsewhere(value)}


def _is_elsewhere(value: Any) -> bool:
    """Whether `wasmtime._ffi` defines it, so that the table need not."""
    return getattr(value, "__module__", None) == _ffi.__name__


def _declare(name: str, value: Any, declared: dict[str, str]) -> None:
    if name in declared:
        return
    declared[name] = ""  # it may be met again below
    function = vars(_bindings).get("_" + name)
    if function is not None:
        types = (function.restype, *function.argtypes)
        declared[name] = " ".join(["function", *(_word(each, declared) for each in types)])
    elif isinstance(value, type) and issubclass(value, Enum):
        declared[name] = " ".join(["enum", *(f"{each.name}:{each.value}" for each in value)])
    elif isinstance(value, type) and value.__name__ == name:
        declared[name] = _structure(value, declared)
    else:
        declared[name] = f"alias {_word(value, declared)}"


def _structure(value: Any, declared: dict[str, str]) -> str:
    assert issubclass(value, ctypes.Structure | ctypes.Union)
    assert not hasattr(value, "_anonymous_")
    assert not hasattr(value, "_pack_")
    kind = "union" if issubclass(value, ctypes.Union) else "structure"
    fields = getattr(value, "_fields_", [])
    return " ".join([kind, *(f"{name}:{_word(type_, declared)}" for name, type_ in fields)])


def _word(type_: Any, declared: dict[str, str]) -> str:
    """How the table calls a type."""
    if type_ in _SIMPLE:
        return _SIMPLE[type_]
    if issubclass(type_, ctypes._Pointer):
        return "*" + _word(type_._type_, declared)
    if issubclass(type_, ctypes.Array):
        return f"{_word(type_._type_, declared)}[{type_._length_}]"
    if issubclass(type_, ctypes._CFuncPtr):
        words = [_word(each, declared) for each in (type_._restype_, *type_._argtypes_)]
        assert not any("(" in word for word in words)
        return f"({','.join(words)})"
    if not _is_elsewhere(type_):
        _declare(type_.__name__, type_, declared)
    return str(type_.__name__)


if __name__ == "__main__":
    print(table(), end="")
