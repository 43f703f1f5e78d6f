"""What a core module imports, exports and has."""

from rich.console import RenderableType

from atectl.capsule.module_facts import Export, Import, Memory, ModuleFacts, Table
from atectl.capsule.needs import Needs
from atectl.units import format_size

from ..drawing.columns import Column
from .list_view import titled_list


def module_lists(facts: ModuleFacts, needs: Needs) -> list[RenderableType]:
    """A list of each kind of which the module has any."""
    counts = facts.counts
    missing = {each.name for each in needs.missing_imports}
    return [
        *titled_list("imports", _import_columns(missing), facts.imports, counts.imports),
        *titled_list("exports", _EXPORT_COLUMNS, facts.exports, counts.exports),
        *titled_list("memories", _MEMORY_COLUMNS, facts.memories, counts.memories),
        *titled_list("tables", _TABLE_COLUMNS, facts.tables, counts.tables),
        *titled_list("globals", _GLOBAL_COLUMNS, list(enumerate(facts.globals)), counts.globals),
    ]


def _import_columns(missing: set[str]) -> list[Column[Import]]:
    def name(each: Import) -> str:
        return f"{each.module}::{each.name}"

    return [
        Column("name", "NAME", name, 22, 0, grows=True, is_name=True),
        Column("kind", "KIND", lambda each: each.kind, 8, 2),
        Column("met", "PROVIDED", lambda each: "no" if name(each) in missing else "yes", 8, 1),
        Column("type", "TYPE", lambda each: each.type, 12, 3, grows=True, folds=True),
    ]


def memory_size(size: int | None) -> str:
    """A bound of a memory; `-` for none."""
    return "-" if size is None else format_size(size)


def _of_memory(memory: Memory) -> str:
    words = [
        *(["imported"] if memory.is_imported else []),
        *(["64-bit"] if memory.is_64 else []),
        *(["shared"] if memory.is_shared else []),
    ]
    return ", ".join(words)


_EXPORT_COLUMNS = [
    Column[Export]("name", "NAME", lambda each: each.name, 22, 0, grows=True, is_name=True),
    Column[Export]("kind", "KIND", lambda each: each.kind, 8, 1),
    Column[Export]("type", "TYPE", lambda each: each.type, 12, 2, grows=True, folds=True),
]
_MEMORY_COLUMNS = [
    Column[Memory]("min", "AT FIRST", lambda m: memory_size(m.minimum_bytes), 10, 0, is_right=True),
    Column[Memory]("max", "AT MOST", lambda m: memory_size(m.maximum_bytes), 10, 1, is_right=True),
    Column[Memory]("notes", "", _of_memory, 24, 2),
]
_TABLE_COLUMNS = [
    Column[Table]("element", "ELEMENTS", lambda each: each.element, 12, 0, grows=True),
    Column[Table]("min", "AT FIRST", lambda each: f"{each.minimum:,}", 10, 1, is_right=True),
    Column[Table](
        "max",
        "AT MOST",
        lambda each: "-" if each.maximum is None else f"{each.maximum:,}",
        13,
        2,
        is_right=True,
    ),
    Column[Table]("notes", "", lambda each: "imported" if each.is_imported else "", 8, 3),
]
_GLOBAL_COLUMNS = [
    Column[tuple[int, str]]("index", "INDEX", lambda each: str(each[0]), 6, 0, is_right=True),
    Column[tuple[int, str]]("type", "TYPE", lambda each: each[1], 12, 1, grows=True, folds=True),
]
