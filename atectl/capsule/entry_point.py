"""The entry point of a command: what a capsule exports that `run` calls where nothing is named.

It is judged by the names of exports, and that of a core module by its type, too: by those in the
binary before it is compiled, and by those that the engine tells before it is called.
"""

import re
from collections.abc import Callable, Iterable

from atectl.capsule.binary import HEADER_BYTES, MalformedBinary, Reader
from atectl.capsule.outline import Outline
from atectl.errors import NoEntryPoint

START = "_start"
_COMMAND = "wasi:cli/run@0.2."
_LATER_COMMAND = re.compile(r"wasi:cli/run@(?!0\.[0-2]\.)")
_SERVER = re.compile(r"wasi:http/(incoming-)?handler@")
ASYNC = "is async, and the engine as Python has it cannot drive async exports"
ASYNC_REMEDY = "build it for WASI 0.2 (wasm32-wasip2), without async exports"

_MOST_OFFERED, _MOST_OFFERED_CHARACTERS = 20, 1000
_EXPORTS, _COMPONENT_EXPORTS = 7, 11
_FUNCTION = 0


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
            command_of(name, _exported_by_component(reader), lambda: _offered(binary))
        else:
            functions = _functions_of_module(reader)
            if START in functions:
                _require_plain(name, binary, functions[START])
            elif not found.has_start:
                raise no_entry_point(name, START, list(functions))
    except MalformedBinary:
        return  # the engine says what is wrong with it


def command_of(name: str, exports: Iterable[str], offered: Callable[[], list[str]]) -> str:
    """The one of a component's exports that is the interface of a WASI 0.2 command.

    Args:
        name: of the file, for messages.
        offered: asked for the names of its functions, if it has none.

    Raises:
        NoEntryPoint: there is none (exit 126).
    """
    names = list(exports)
    for each in names:
        if each.startswith(_COMMAND):
            return each
    for each in names:
        if _LATER_COMMAND.match(each):
            raise NoEntryPoint(
                f"{name} exports {each}, a later WASI than 0.2: its run {ASYNC}",
                remedy=ASYNC_REMEDY,
            )
        if _SERVER.match(each):
            raise NoEntryPoint(
                f"{name} is a server: it exports {each}, and no wasi:cli/run to run",
                remedy="a host that serves WASI HTTP runs it; atectl runs commands",
            )
    raise no_entry_point(name, "wasi:cli/run@0.2", offered())


def no_entry_point(name: str, wanted: str, functions: list[str]) -> NoEntryPoint:
    """The error of a capsule that lacks what is to be called, and exports these functions."""
    return NoEntryPoint(f"{name} has no {wanted} to run; it exports {listed(functions)}")


def listed(names: list[str]) -> str:
    """The first of some names of functions, and how many more there are."""
    shown: list[str] = []
    left = _MOST_OFFERED_CHARACTERS
    for name in names[:_MOST_OFFERED]:
        left -= len(name)
        if left < 0 and shown:
            break
        shown.append(name)
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ", ".join(shown) + more or "no functions"


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
