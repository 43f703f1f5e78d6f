"""One capsule in full, for a reader."""

from collections import Counter
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from atectl.capsule.component_facts import ComponentFacts
from atectl.capsule.inspection import Inspection
from atectl.capsule.module_facts import ModuleFacts
from atectl.capsule.names import Producer
from atectl.capsule.sections import Section
from atectl.inert import inert_line
from atectl.units import format_size, show_size

from ..drawing.columns import Column
from ..drawing.labelled import labelled
from ..drawing.tones import HEADING
from .component_view import component_lists
from .list_view import titled_list
from .module_view import module_lists

_ENTRIES = {
    "command": "a command",
    "functions": "functions to call by name",
    "nothing": "nothing to call",
}


def inspection_view(inspection: Inspection) -> RenderableType:
    """What the capsule is, what is in it, what it needs, and what is wrong with it."""
    parts: list[RenderableType] = [labelled(_facts(inspection), _VALUES_AT)]
    sections: tuple[Section, ...] = ()
    if inspection.module is not None:
        parts += module_lists(inspection.module, inspection.needs)
        sections = inspection.module.sections
    if inspection.component is not None:
        parts += component_lists(inspection.component, inspection.needs)
        sections = inspection.component.sections
    parts += titled_list("sections", _SECTION_COLUMNS, sections, len(sections))
    needs = list(_needs(inspection))
    parts += [Text("\nto run it", style=HEADING), labelled(needs, _VALUES_AT)] if needs else []
    if inspection.faults:
        parts += [Text(f"\n{_verdict(inspection)}", style=HEADING)]
        parts += [Padding(Text(inert_line(fault)), (0, 0, 0, 2)) for fault in inspection.faults]
    return Group(*parts)


_VALUES_AT = 12


def _facts(inspection: Inspection) -> Iterator[tuple[str, str]]:
    yield "capsule", inspection.path
    if inspection.package is not None:
        yield "package", f"{inspection.package} {inspection.package_version}"
    kind = "core module" if inspection.kind == "module" else "component"
    yield "kind", f"{kind}, {_ENTRIES[inspection.needs.entry]}"
    yield "size", _size(inspection)
    yield "SHA-256", inspection.sha256
    if inspection.encodings:
        yield "encoded", ", then ".join(inspection.encodings)
    if inspection.module is not None:
        yield from _facts_of_module(inspection.module)
    if inspection.component is not None:
        yield from _facts_of_component(inspection.component)


def _size(inspection: Inspection) -> str:
    size = show_size(inspection.size_bytes)
    if inspection.size_bytes == inspection.binary_bytes and inspection.form == "binary":
        return size
    binary = show_size(inspection.binary_bytes)
    return f"{size}{' of text' if inspection.form == 'text' else ''}, {binary} as a binary"


def _facts_of_module(facts: ModuleFacts) -> Iterator[tuple[str, str]]:
    counts, names = facts.counts, facts.names
    if names.module is not None:
        yield "name", names.module
    yield "has", _counted(counts._asdict())
    if counts.functions:
        yield "named", f"{names.functions:,} of its {counts.functions:,} functions"
    if facts.start is not None:
        named = f", {names.start}" if names.start else ""
        yield "starts with", f"function {facts.start}{named}"
    yield from _made(facts.features, facts.target_features, facts.producers)


def _facts_of_component(facts: ComponentFacts) -> Iterator[tuple[str, str]]:
    if facts.name is not None:
        yield "name", facts.name
    yield "has", _counted(facts.counts._asdict())
    if facts.wit_sections:
        yield "WIT in it", ", ".join(facts.wit_sections)
    yield from _made(facts.features, facts.target_features, facts.producers)


def _made(
    features: tuple[str, ...], target_features: tuple[str, ...], producers: tuple[Producer, ...]
) -> Iterator[tuple[str, str]]:
    if features:
        yield "uses", ", ".join(features)
    if target_features:
        yield "built for", ", ".join(target_features)
    if producers:
        yield "made with", ", ".join(f"{each.name} {each.version}".strip() for each in producers)


_ONE = {"memories": "memory", "data": "data segment", "elements": "element segment"}
_MANY = {"data": "data segments", "elements": "element segments"}


def _counted(counts: dict[str, int]) -> str:
    """`3 types, 1 memory, …`, without what there is none of."""
    parts = []
    for field, count in counts.items():
        one = _ONE.get(field, field.removesuffix("s"))
        noun = one if count == 1 else _MANY.get(field, field)
        if count:
            parts.append(f"{count:,} {noun.replace('_', ' ')}")
    return ", ".join(parts) or "nothing"


def _needs(inspection: Inspection) -> Iterator[tuple[str, str]]:
    needs = inspection.needs
    if needs.wasi is not None:
        yield "WASI", f"{needs.wasi}, which atectl provides"
    if needs.min_memory_bytes is not None:
        yield "memory", _memory(needs.min_memory_bytes)
    for kind, names in _missing(inspection).items():
        yield "missing", f"{kind}: {', '.join(names)}"
    for remedy in dict.fromkeys(each.remedy for each in needs.missing_imports):
        yield "try", remedy
    if needs.command is not None:
        yield "command", needs.command


def _memory(min_bytes: int) -> str:
    if min_bytes == 1:
        return "it starts with none, under any --max-mem"
    return f"--max-mem {format_size(min_bytes)} is the least it can start with"


def _missing(inspection: Inspection) -> dict[str, list[str]]:
    """What is missing, by kind and reason, the first few of each."""
    found: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for each in inspection.needs.missing_imports:
        reason = f"{each.kind} {each.reason}"
        counts[reason] += 1
        if counts[reason] <= _MOST_NAMED:
            found.setdefault(reason, []).append(each.name)
    for reason, names in found.items():
        more = counts[reason] - len(names)
        names += [f"and {more:,} more"] if more else []
    return found


_MOST_NAMED = 10


def _verdict(inspection: Inspection) -> str:
    if inspection.is_truncated:
        return "the file is cut off: what there is of it is shown"
    return "the file is damaged: what can be read is shown"


_SECTION_COLUMNS = [
    Column[Section]("name", "SECTION", lambda each: each.name, 16, 0, grows=True, is_name=True),
    Column[Section]("offset", "OFFSET", lambda each: f"{each.offset:#x}", 10, 2, is_right=True),
    Column[Section]("size", "SIZE", lambda each: show_size(each.size_bytes), 8, 1, is_right=True),
    Column[Section](
        "entries",
        "ENTRIES",
        lambda each: "-" if each.entries is None else f"{each.entries:,}",
        9,
        3,
        is_right=True,
    ),
]
