"""The entry point of a command: what a capsule exports that `run` calls where nothing is named.

It is judged by the names of exports, and that of a core module by its type, too: by those in the
binary before it is compiled, and by those that the engine tells before it is called.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from atectl.capsule.binary import HEADER_BYTES, MalformedBinary, Reader
from atectl.capsule.outline import Outline
from atectl.errors import NoEntryPoint

START = "_start"
COMMANDS = tuple(f"wasi:cli/run@0.2.{patch}" for patch in range(100))
"""The interface of a command, in each version of WASI 0.2 that there may be: the engine tells the
type of an export only to who knows its whole name."""

_LATER_COMMAND = re.compile(r"wasi:cli/run@(?!0\.[0-2]\.)")
_SERVER = re.compile(r"wasi:http/(incoming-)?handler@")
ASYNC = "is async, and the engine as Python has it cannot drive async exports"
ASYNC_REMEDY = "build it for WASI 0.2 (wasm32-wasip2), without async exports"

MOST_LOOKED_AT = 1_000
"""How many exports the engine is asked for to say what there is."""

_MOST_OFFERED, _MOST_OFFERED_CHARACTERS = 20, 1000
_EXPORTS, _COMPONENT_EXPORTS = 7, 11
_FUNCTION = 0


class Exported(NamedTuple):
    """The functions that a capsule exports, as `--invoke` names them, `INTERFACE#NAME` included."""

    functions: list[str]
    are_all: bool = True
    """Whether these are all: the engine is not asked for more than the first of many exports."""


def require_entry_point(name: str, binary: bytes, found: Outline) -> None:
    """Check that a capsule can be run as a command, as far as the names of its exports tell.

    Args:
        name: of the file, for messages.
        found: the outline of `binary`.

    Raises:
        NoEntryPoint: it has nothing to be called (exit 126).
    """
    reader = Reader(binary, HEADER_BYTES, len(binary))
    try:
        if found.kind == "component":
            names = _exported_by_component(reader)
            if set(names).isdisjoint(COMMANDS):
                raise no_command(name, names, Exported(_offered(binary)))
        else:
            functions = _functions_of_module(reader)
            if START in functions:
                _require_plain(name, binary, functions[START])
            elif not found.has_start:
                raise no_entry_point(name, START, Exported(list(functions)))
    except MalformedBinary:
        return  # the engine says what is wrong with it


def no_command(name: str, exports: Iterable[str], exported: Exported) -> NoEntryPoint:
    """The error of a component that exports none of `COMMANDS`.

    Args:
        name: of the file, for messages.
        exports: the names of what it exports.
        exported: the functions among that, and in that.
    """
    for each in exports:
        if _LATER_COMMAND.match(each):
            return NoEntryPoint(
                f"{name} exports {each}, a later WASI than 0.2: its run {ASYNC}",
                remedy=ASYNC_REMEDY,
            )
        if _SERVER.match(each):
            return NoEntryPoint(
                f"{name} is a server: it exports {each}, and no wasi:cli/run to run",
                remedy="a host that serves WASI HTTP runs it; atectl runs commands",
            )
    return no_entry_point(name, "wasi:cli/run@0.2", exported)


def no_entry_point(name: str, wanted: str, exported: Exported) -> NoEntryPoint:
    """The error of a capsule that lacks what is to be called, and exports these functions."""
    return NoEntryPoint(f"{name} has no {wanted} to run; it exports {listed(exported)}")


def listed(exported: Exported) -> str:
    """The first of some functions, and how many more there are."""
    names, are_all = exported
    shown: list[str] = []
    left = _MOST_OFFERED_CHARACTERS
    for name in names[:_MOST_OFFERED]:
        left -= len(name)
        if left < 0 and shown:
            break
        shown.append(name)
    if not shown:
        return "no functions" if are_all else f"no function among its first {MOST_LOOKED_AT:,}"
    more = len(names) - len(shown)
    if not are_all:
        return ", ".join(shown) + (f" and at least {more} more" if more else " and maybe more")
    return ", ".join(shown) + (f" and {more} more" if more else "")


def not_plain(name: str, entry: str, *, takes: bool) -> NoEntryPoint:
    """The error of an entry point that takes parameters, or else returns something."""
    done = "takes parameters" if takes else "returns a value"
    return NoEntryPoint(
        f"{name}: its {entry} {done}, which no entry point does",
        remedy="have its toolchain build a command, or choose another export with --invoke NAME",
    )


def _require_plain(name: str, binary: bytes, index: int) -> None:
    """Check that an entry point neither takes nor returns anything, as far as that is told."""
    from atectl.capsule.start_type import arity_of

    arity = arity_of(Reader(binary, HEADER_BYTES, len(binary)), index)
    if arity is not None and any(arity):
        raise not_plain(name, START, takes=arity.parameters > 0)


def _functions_of_module(reader: Reader) -> dict[str, int]:
    """The functions that a core module exports, with their indices."""
    found: dict[str, int] = {}
    while not reader.is_at_end:
        number, contents = reader.section()
        if number == _EXPORTS:
            for _ in contents.entries():
                name, kind = contents.name(), contents.byte()
                index = contents.number()
                if kind == _FUNCTION:
                    found[name] = index
    return found


def _exported_by_component(reader: Reader) -> list[str]:
    """The names of what a component exports, at its top level."""
    from atectl.capsule.component_walk import pass_export

    found = []
    while not reader.is_at_end:
        number, contents = reader.section()
        if number == _COMPONENT_EXPORTS:
            found += [pass_export(contents) for _ in contents.entries()]
    return found


def _offered(binary: bytes) -> list[str]:
    """The functions of a component as `--invoke` names them."""
    from atectl.capsule.component_reading import read_component
    from atectl.capsule.sections import Faults

    reader = Reader(binary, HEADER_BYTES, len(binary))
    names = []
    for export in read_component(reader, Faults()).exports:
        if export.kind == "function":
            names.append(export.name)
        names += [f"{export.name}#{x.name}" for x in export.items if x.kind == "function"]
    return names
