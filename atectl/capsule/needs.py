"""What a capsule needs to run here: imports, memory to start with, and a command line."""

import shlex
from collections.abc import Iterator
from typing import Literal, NamedTuple

from atectl.accounting import DEFAULT_MEMORY_BYTES, TABLE_BYTES_PER_ELEMENT, charged_state_bytes
from atectl.capsule.component_facts import ComponentFacts, WorldEntry, WorldItem
from atectl.capsule.creation import Creation
from atectl.capsule.interface import (
    NOT_PROVIDED,
    THREADS_REMEDY,
    WASI_REMEDY,
    MissingImportNote,
    remedy_for,
)
from atectl.capsule.module_facts import Export, Import, Memory, ModuleFacts
from atectl.capsule.provided import PREVIEW_1, PREVIEW_1_MODULE, is_of_wasi_0_2
from atectl.units import format_size

_COMMAND_INTERFACE = "wasi:cli/run@0.2."
_START, _INITIALIZE = "_start", "_initialize"

_EXAMPLES = {
    **dict.fromkeys(("i32", "i64", "f32", "f64", "v128"), "0"),
    **dict.fromkeys(("s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64"), "0"),
    "bool": "false",
    "char": "x",
    "string": "text",
}
"""An example argument for each simple type."""


Entry = Literal["command", "functions", "nothing"]


class Needs(NamedTuple):
    """What a capsule needs to run."""

    entry: Entry
    """`command` if it runs by itself, `functions` if they are called by name, or `nothing`."""
    wasi: str | None
    """`preview 1` or `0.2`, if it imports anything from it."""
    missing_imports: tuple[MissingImportNote, ...]
    """Imports that atectl does not provide. Shared memories of its own are listed too."""
    min_memory_bytes: int | None
    """The smallest `--max-mem` that lets it start, by the sizes that it declares, at least 1.

    What it allocates when it starts, such as objects on the GC heap, comes on top. Null for a
    capsule that is cut off or damaged.
    """
    command: str | None
    """A command line that runs it; null if it cannot run, or if there is nothing to call."""


def needs_of_module(facts: ModuleFacts, path: str, creates: Creation) -> Needs:
    """What a core module needs.

    Args:
        path: as it should appear in the command line.
        creates: what one instantiation creates at most.
    """
    missing = [*_missing_of_module(facts.imports), *_shared(facts.memories)]
    functions = [each for each in facts.exports if each.kind == "function"]
    has_command = any(each.name == _START and each.type == "()" for each in functions)
    is_command = has_command or (facts.start is not None and not functions)
    uses_wasi = any(each.module == PREVIEW_1_MODULE for each in facts.imports)
    entry = _entry(is_command=is_command, has_functions=bool(functions))
    callable_ = [(each.name, each.type) for each in functions if _is_callable(each)]
    return _needs(
        path,
        entry=entry,
        wasi="preview 1" if uses_wasi else None,
        missing=missing,
        min_bytes=_min_bytes(facts.initial_bytes, creates, facts.largest_table),
        functions=callable_,
    )


def needs_of_component(facts: ComponentFacts, path: str, creates: Creation) -> Needs:
    """What a component needs; `path` and `creates` are as for a module."""
    missing = [
        MissingImportNote(each.name, each.kind, NOT_PROVIDED, remedy_for(each.name))
        for each in facts.imports
        if not _is_met(each)
    ]
    for module in facts.core_modules:
        missing += _shared(module.memories)
    functions = list(_functions_of(facts.exports))
    is_command = any(map(_is_command_of_wasi, facts.exports))
    uses_wasi = any(is_of_wasi_0_2(each.name) for each in facts.imports)
    return _needs(
        path,
        entry=_entry(is_command=is_command, has_functions=bool(functions)),
        wasi="0.2" if uses_wasi else None,
        missing=missing,
        min_bytes=_min_bytes(facts.initial_bytes, creates, facts.largest_table),
        functions=functions,
    )


def _needs(
    path: str,
    *,
    entry: Entry,
    wasi: str | None,
    missing: list[MissingImportNote],
    min_bytes: int,
    functions: list[tuple[str, str]],
) -> Needs:
    command = None
    if not missing and (entry == "command" or functions):
        max_mem = format_size(max(min_bytes, DEFAULT_MEMORY_BYTES))
        invoked, arguments = ([], []) if entry == "command" else _example(functions)
        command = shlex.join(["atectl", "run", "--max-mem", max_mem, *invoked, path, *arguments])
    return Needs(entry, wasi, tuple(missing), min_bytes, command)


def _example(functions: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """A call of the function with the easiest arguments: the option that names it, and those."""
    calls = [(name, _example_arguments(type_)) for name, type_ in functions]
    name, arguments = min(calls, key=lambda call: sum(word.startswith("<") for word in call[1]))
    return ["--invoke", name], arguments


def _entry(*, is_command: bool, has_functions: bool) -> Entry:
    return "command" if is_command else "functions" if has_functions else "nothing"


def _min_bytes(initial_bytes: int, creates: Creation, largest_table: int) -> int:
    held_bytes = initial_bytes + charged_state_bytes(creates.state_bytes)
    # A lease gives each of its tables an equal share of the elements that its quota pays for.
    return max(held_bytes, TABLE_BYTES_PER_ELEMENT * creates.tables * largest_table, 1)


def _missing_of_module(imports: tuple[Import, ...]) -> Iterator[MissingImportNote]:
    for each in imports:
        provided = PREVIEW_1.get(each.name) if each.module == PREVIEW_1_MODULE else None
        name = f"{each.module}::{each.name}"
        if provided is None or each.kind != "function":
            yield MissingImportNote(name, each.kind, NOT_PROVIDED, remedy_for(name))
        elif provided != each.type:
            reason = f"which atectl provides with another type: {provided}"
            yield MissingImportNote(name, each.kind, reason, WASI_REMEDY)


def _shared(memories: tuple[Memory, ...]) -> Iterator[MissingImportNote]:
    for index, memory in enumerate(memories):
        if memory.is_shared and not memory.is_imported:
            reason = "which no quota can limit"
            yield MissingImportNote(f"memory {index}", "shared memory", reason, THREADS_REMEDY)


def _is_met(entry: WorldEntry) -> bool:
    """Whether an import of a component is provided, or there is nothing in it to provide."""
    if entry.kind == "type" or is_of_wasi_0_2(entry.name):
        return True
    return entry.kind == "instance" and all(each.kind == "type" for each in entry.items)


def _is_command_of_wasi(entry: WorldEntry) -> bool:
    """Whether an export has the `run` of a command. If its items are not known, it is assumed."""
    if not entry.name.startswith(_COMMAND_INTERFACE):
        return False
    types = {each.name: each.type for each in entry.items}
    return not types or types.get("run") == "() -> result"


def _is_callable(export: Export) -> bool:
    """Whether `--invoke` can call a module's function, and somebody may want to."""
    words = export.type.replace("(", " ").replace(")", " ").replace("->", " ").replace(",", " ")
    is_plain = set(words.split()) <= {"i32", "i64", "f32", "f64"}
    return is_plain and export.name != _INITIALIZE and not export.name.startswith(("__", "cabi_"))


def _functions_of(exports: tuple[WorldEntry, ...]) -> Iterator[tuple[str, str]]:
    """What `--invoke` can call of a component: each name, and its type."""
    for entry in exports:
        if entry.kind == "function" and not entry.type.startswith("async "):
            yield entry.name, entry.type
        yield from (
            (f"{entry.name}#{item.name}", item.type)
            for item in entry.items
            if item.kind == "function" and _is_free(item)
        )


def _is_free(item: WorldItem) -> bool:
    """Whether a function is neither a resource's nor async."""
    return not item.name.startswith("[") and not item.type.startswith("async ")


def _example_arguments(type_: str) -> list[str]:
    """An argument for each parameter of a function: an example value, or its type in brackets."""
    kinds = [each.rpartition(": ")[2] for each in _parameters(type_)]
    return [
        _EXAMPLES.get(kind) or ("[]" if kind.startswith("list<") else f"<{kind}>") for kind in kinds
    ]


def _parameters(type_: str) -> list[str]:
    """The parameters in a function's type: what is within its first parentheses."""
    found, depth, start = [], 0, 0
    for place, character in enumerate(type_):
        if character in "(<{":
            depth += 1
            start = place + 1 if depth == 1 else start
        elif character in ")>}":
            depth -= 1
        if (character == "," and depth == 1) or depth == 0:
            found.append(type_[start:place].strip())
            start = place + 1
        if depth == 0:
            break
    return [each for each in found if each]
