"""The work of a process that reads what a capsule says of itself: see `capsule.compile_child`."""

import json
from typing import TYPE_CHECKING, NamedTuple

from atectl.capsule.binary import (
    HEADER_BYTES,
    MAGIC,
    MalformedBinary,
    kind_of,
)
from atectl.capsule.compile_child import decoded, reading
from atectl.capsule.compiling import binary_form
from atectl.capsule.component_facts import ComponentFacts
from atectl.capsule.encodings import Encoding
from atectl.capsule.estimate import CodeSizes, code_sizes
from atectl.capsule.inspection import facts_of
from atectl.capsule.module_facts import Memory, ModuleFacts, Table
from atectl.capsule.names import Producer
from atectl.capsule.phase import show_phase
from atectl.capsule.sections import MAX_LISTED, Faults
from atectl.capsule.task import Task
from atectl.errors import InvalidCapsule, TruncatedCapsule
from atectl.load.facts import Facts
from atectl.records.as_json import as_json

if TYPE_CHECKING:
    from atectl.capsule.interface import LinkingEngine
    from atectl.engine.kind import Kind


def work(_engine: "LinkingEngine", task: Task) -> bytes:
    """The facts of the capsule, as JSON.

    Raises:
        CapsuleError: it cannot be decoded, or has no binary form (exit 126).
    """
    show_phase("read")
    with reading(task) as file:
        content, encodings = decoded(file, task)
    binary = binary_form(task.name, content)
    is_text = binary is not content
    del content
    if len(binary) < HEADER_BYTES and MAGIC.startswith(binary[: len(MAGIC)]):
        raise TruncatedCapsule(f"{task.name}: the file ends too early")
    try:
        kind = kind_of(binary)
    except MalformedBinary as error:
        raise InvalidCapsule(f"{task.name}: {error}") from None
    return json.dumps(as_json(_facts(kind, binary, encodings, is_text=is_text))).encode()


def _facts(kind: "Kind", binary: bytes, encodings: tuple[Encoding, ...], *, is_text: bool) -> Facts:
    module, component, needs = facts_of(kind, binary, "capsule", Faults())
    own = _of_module(module) if module else _of_component(component)
    return Facts(
        kind=kind,
        form="text" if is_text else "binary",
        encodings=encodings,
        binary_bytes=len(binary),
        entry=needs.entry,
        imports=own.imports,
        missing_imports=needs.missing_imports[:MAX_LISTED],
        exports=own.exports,
        memories=own.memories,
        tables=own.tables,
        has_start=own.has_start,
        producers=own.producers,
        declared_bytes=needs.min_memory_bytes,
        code=_code_sizes(binary),
    )


class _Own(NamedTuple):
    """What modules and components each have of their own."""

    imports: tuple[str, ...]
    exports: tuple[str, ...]
    memories: tuple[Memory, ...]
    producers: tuple[Producer, ...]
    tables: tuple[Table, ...] = ()
    has_start: bool = False


def _of_module(facts: ModuleFacts) -> _Own:
    return _Own(
        tuple(f"{each.module}::{each.name}" for each in facts.imports),
        tuple(each.name for each in facts.exports),
        facts.memories,
        facts.producers,
        facts.tables,
        facts.start is not None,
    )


def _of_component(facts: ComponentFacts | None) -> _Own:
    assert facts is not None  # noqa: S101 - it is the one or the other
    memories = [each for module in facts.core_modules for each in module.memories]
    return _Own(
        tuple(each.name for each in facts.imports),
        tuple(each.name for each in facts.exports),
        tuple(each for each in memories if not each.is_imported)[:MAX_LISTED],
        facts.producers,
    )


def _code_sizes(binary: bytes) -> CodeSizes:
    def read(count: int, position: int) -> bytes:
        return binary[position : position + count]

    try:
        return code_sizes(read, 0, len(binary))
    except MalformedBinary:
        return CodeSizes()  # whoever compiles it says what is wrong
