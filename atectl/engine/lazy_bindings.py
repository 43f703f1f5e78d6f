"""Wasmtime's C functions, each declared when it is first used.

Wasmtime's Python package declares all 762 functions of its C interface as it is imported, which
takes longer than a small guest runs. A run uses some 80 of them. This module replaces
`wasmtime._bindings`, and declares a function or structure when it is first asked for, from the
table in `declarations`. That table is made from one version of the package. With any other version
nothing is replaced, and the package declares everything itself.

The replacement happens when this module is imported: that must be before any `import wasmtime`.
"""

import ctypes
import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

from atectl.engine.declarations import DECLARED, VERSION
from atectl.engine.settings import installed_version

_NAME = "wasmtime._bindings"

SIMPLE_TYPES: dict[str, Any] = {
    "void": None,
    "bool": ctypes.c_bool,
    "char": ctypes.c_char,
    "int8": ctypes.c_int8,
    "int16": ctypes.c_int16,
    "int32": ctypes.c_int32,
    "int64": ctypes.c_int64,
    "uint8": ctypes.c_uint8,
    "uint16": ctypes.c_uint16,
    "uint32": ctypes.c_uint32,
    "size_t": ctypes.c_size_t,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
    "char_p": ctypes.c_char_p,
    "void_p": ctypes.c_void_p,
}
"""The types of the table's simple words. The engine needs a 64-bit system: `size_t` is 64 bits."""

_types = dict(SIMPLE_TYPES)
"""The types of all words of the table that were used so far."""

_unfinished: list[str] = []
"""Structures that a pointer refers to, and that have no fields yet."""

_deleting: list[str] = []
"""The functions that delete objects of the types made so far, until they are declared."""

_lock = threading.RLock()


class _LazyBindings(ModuleType):
    """A module whose names are declared when they are asked for."""

    __all__ = ("__getattr__", "wasm_byte_vec_new_uninitialized", "wasm_byte_vec_t")
    """What `wasmtime._ffi` imports from here: what its functions use, and how it finds the rest."""

    def __getattr__(self, name: str) -> Any:
        value = self._declare(name)
        # These are also called while the interpreter ends, when nothing can be declared any more.
        # There is an object to delete only if its type was made.
        while _deleting:
            self._declare(_deleting.pop())
        return value

    def _declare(self, name: str) -> Any:
        value = _declared(name.removeprefix("_"))
        setattr(self, name, value)
        # The package's modules look names up in `_ffi`, which imports them from here.
        setattr(sys.modules["wasmtime._ffi"], name, value)
        return value


def _declared(name: str) -> Any:
    """The function, structure or type of this name.

    Raises:
        AttributeError: there is none.
    """
    declaration = DECLARED.get(name)
    if declaration is None:
        raise AttributeError(f"module {_NAME!r} has no attribute {name!r}")
    with _lock:
        kind, *words = declaration.split()
        if kind == "function":
            value = _function(name, words)
        elif kind == "enum":
            value = _enumeration(words)
        else:
            value = _type(name)
        while _unfinished:
            _finish(_unfinished.pop())
    return value


def _function(name: str, words: list[str]) -> Any:
    function = getattr(sys.modules["wasmtime._ffi"].dll, name)
    function.restype, *function.argtypes = map(_type, words)
    return function


def _enumeration(words: list[str]) -> SimpleNamespace:
    """An object whose members have values. Making a real enumeration takes a millisecond."""
    members = (word.split(":") for word in words)
    return SimpleNamespace(
        **{member: SimpleNamespace(value=int(value)) for member, value in members}
    )


def _type(word: str) -> Any:
    """The type of a word of the table. `declarations` describes these words."""
    known = _types.get(word, _types)
    if known is not _types:
        return known
    if word.startswith("*"):
        made: Any = ctypes.POINTER(_pointed_to(word[1:]))
    elif word.startswith("("):
        made = ctypes.CFUNCTYPE(*map(_type, word[1:-1].split(",")))
    elif word.endswith("]"):
        element, _, count = word[:-1].partition("[")
        made = _type(element) * int(count)
    else:
        made = _named(word)
    _types[word] = made
    return made


def _pointed_to(word: str) -> Any:
    """The same, but a structure gets its fields later, since they may refer back to it."""
    is_structure = DECLARED.get(word, "").startswith(("structure", "union"))
    if word in _types or not is_structure:
        return _type(word)
    _unfinished.append(word)
    return _bare(word)


def _named(name: str) -> Any:
    if name not in DECLARED:
        return vars(sys.modules["wasmtime._ffi"])[name]
    kind, *words = DECLARED[name].split()
    if kind == "alias":
        return _type(words[0])
    made = _bare(name)
    _finish(name)
    return made


def _bare(name: str) -> Any:
    base: Any = ctypes.Union if DECLARED[name].startswith("union") else ctypes.Structure
    made = _types[name] = type(name, (base,), {})
    deleting = f"{name.removesuffix('_t')}_delete"
    if deleting in DECLARED:
        _deleting.append(deleting)
    return made


def _finish(name: str) -> None:
    """Give a structure its fields."""
    fields = [field.split(":") for field in DECLARED[name].split()[1:]]
    if fields:
        _types[name]._fields_ = [(field, _type(word)) for field, word in fields]


if "wasmtime" not in sys.modules and installed_version() == VERSION:
    sys.modules[_NAME] = _LazyBindings(_NAME)
