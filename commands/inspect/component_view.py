"""The world of a component, nearly as WIT writes it, and the core modules within it."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from atectl.capsule.component_facts import ComponentFacts, CoreModule, WorldEntry, WorldItem
from atectl.capsule.needs import Needs
from atectl.inert import inert_line
from atectl.units import show_size

from ..drawing.columns import Column
from ..drawing.tones import ALARM
from .list_view import MOST_ROWS, more_line, title_line, titled_list
from .module_view import memory_size

_INDENT = 2


def component_lists(facts: ComponentFacts, needs: Needs) -> list[RenderableType]:
    """What it imports and exports, and the core modules in it."""
    missing = {each.name for each in needs.missing_imports}
    return [
        *_world("imports", facts.imports, missing),
        *_world("exports", facts.exports, set()),
        *titled_list(
            "core modules", _MODULE_COLUMNS, facts.core_modules, facts.counts.core_modules
        ),
    ]


def _world(
    title: str, entries: Sequence[WorldEntry], missing: set[str]
) -> Iterator[RenderableType]:
    if not entries:
        return
    yield title_line(title)
    for entry in entries[:MOST_ROWS]:
        line = Text(_declared(entry))
        if entry.name in missing:
            line.append("  ").append("not provided", ALARM)
        yield line
        for item in entry.items[:MOST_ROWS]:
            yield Padding(Text(_declared(item)), (0, 0, 0, _INDENT))
        for more in more_line(len(entry.items) - MOST_ROWS):
            yield Padding(more, (0, 0, 0, _INDENT))
    yield from more_line(len(entries) - MOST_ROWS)


def _declared(each: WorldEntry | WorldItem) -> str:
    """A function with its type, a type with what it is made of, anything else with its kind."""
    name = inert_line(each.name)
    if each.kind == "function":
        return f"{name}{inert_line(each.type)}"
    return f"{each.kind} {name} = {inert_line(each.type)}" if each.type else f"{each.kind} {name}"


def _first_memory(module: CoreModule) -> str:
    own = [memory.minimum_bytes for memory in module.memories if not memory.is_imported]
    return memory_size(sum(own)) if own else "-"


_MODULE_COLUMNS = [
    Column[CoreModule](
        "name", "NAME", lambda each: each.name or "-", 16, 0, grows=True, is_name=True
    ),
    Column[CoreModule]("offset", "OFFSET", lambda m: f"{m.offset:#x}", 10, 4, is_right=True),
    Column[CoreModule]("size", "SIZE", lambda m: show_size(m.size_bytes), 8, 1, is_right=True),
    Column[CoreModule]("functions", "FUNCTIONS", lambda m: f"{m.functions:,}", 9, 3, is_right=True),
    Column[CoreModule]("memory", "MEMORY", _first_memory, 8, 2, is_right=True),
]
