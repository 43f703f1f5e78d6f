"""Reading a component from its sections, without compiling it: its world and its contents."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice

from atectl.capsule.binary import HEADER_BYTES, MalformedBinary, Reader, TooManyItems, kind_of
from atectl.capsule.canon import read_canon
from atectl.capsule.component_facts import (
    MAX_LISTED_ITEMS,
    MOST_BYTES,
    ComponentCounts,
    ComponentFacts,
    CoreModule,
    WorldEntry,
    WorldItem,
)
from atectl.capsule.component_types import (
    COMPONENT,
    FUNCTION,
    INSTANCE,
    MODULE,
    TYPE,
    Entity,
    Scope,
    TypeReader,
    read_extern_name,
    read_reference,
    read_sort,
)
from atectl.capsule.module_reading import read_module
from atectl.capsule.names import Producer, read_component_name, read_producers
from atectl.capsule.sections import CUSTOM, MAX_LISTED, Faults, Section, explore, walk

(
    _CORE_MODULES, _CORE_INSTANCES, _CORE_TYPES, _COMPONENTS, _INSTANCES, _ALIASES, _TYPES, _CANON,
    _START, _IMPORTS, _EXPORTS, _VALUES,
) = range(1, 13)  # fmt: skip

_WIT_SECTION = "component-type"


def read_component(reader: Reader, faults: Faults) -> ComponentFacts:
    """The facts of a component. `reader` is at its first section.

    Faults are added to `faults`; everything that can still be read is read.
    """
    findings = _Findings(faults)
    component = _Component(findings, Scope())
    component.read_all(reader)
    return findings.facts(component)


class _Findings:
    """What is collected from a whole component, at any depth."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.types = TypeReader()
        self.counts: Counter[str] = Counter()
        self.modules: list[CoreModule] = []
        self.largest_table = 0
        self.features: set[str] = set()
        self.wit_sections: dict[str, None] = {}
        self.producers: dict[Producer, None] = {}
        self.target_features: set[str] = set()

    def add_module(self, reader: Reader) -> Entity:
        """Record the core module in `reader`. Its entity has its initial memory."""
        offset, size = reader.position, reader.end - reader.position
        if kind_of(reader.header()) != "module":
            raise MalformedBinary(f"no core module at offset {offset:#x}")
        facts = read_module(reader.at(offset + HEADER_BYTES), self.faults)
        self.counts[MODULE] += 1
        if len(self.modules) < MAX_LISTED:
            self.modules.append(
                CoreModule(facts.names.module, offset, size, facts.counts.functions, facts.memories)
            )
        self.largest_table = max(self.largest_table, facts.largest_table)
        self.features.update(facts.features)
        self.target_features.update(facts.target_features)
        self.producers.update(dict.fromkeys(facts.producers))
        for section in facts.sections:
            self.note_custom(section)
        return Entity(MODULE, initial_bytes=min(facts.initial_bytes, MOST_BYTES))

    def note_custom(self, section: Section) -> None:
        name = section.name.removeprefix("custom ")
        if name != section.name and name.startswith(_WIT_SECTION):
            self.wit_sections[name] = None

    def facts(self, outermost: "_Component") -> ComponentFacts:
        counts = self.counts
        return ComponentFacts(
            name=outermost.name,
            counts=ComponentCounts(
                counts[MODULE], counts[COMPONENT], counts["core instance"], counts[INSTANCE]
            ),
            imports=tuple(outermost.imports),
            exports=tuple(outermost.exports),
            core_modules=tuple(self.modules),
            initial_bytes=outermost.scope.initial_bytes,
            largest_table=self.largest_table,
            wit_sections=tuple(self.wit_sections)[:MAX_LISTED],
            producers=tuple(self.producers)[:MAX_LISTED],
            target_features=tuple(sorted(self.target_features))[:MAX_LISTED],
            features=tuple(sorted(self.features | self.types.core.features)),
            sections=tuple(outermost.sections),
        )


class _Component:
    """One component as it is read: the outermost, or one nested in it."""

    def __init__(self, findings: _Findings, scope: Scope) -> None:
        self.scope = scope
        self.name: str | None = None
        self.sections: list[Section] = []
        self.imports: list[WorldEntry] = []
        self.exports: list[WorldEntry] = []
        self._findings = findings
        self._exported: dict[str, Entity] = {}
        self._items_left = MAX_LISTED_ITEMS

    def read_all(self, reader: Reader) -> None:
        """Read all sections."""
        faults = self._findings.faults
        try:
            for found in walk(reader, "component", faults):
                if len(self.sections) < MAX_LISTED:
                    self.sections.append(found.section)
                self._findings.note_custom(found.section)
                explore(found, faults, partial(self._read, found.number))
        except TooManyItems as error:
            faults.tell(str(error))

    def _read(self, number: int, contents: Reader) -> None:
        types, scope = self._findings.types, self.scope
        readers: dict[int, Callable[[Reader], None]] = {
            CUSTOM: self._read_custom,
            _CORE_MODULES: self._read_module,
            _CORE_INSTANCES: self._read_core_instances,
            _CORE_TYPES: types.pass_core_section,
            _COMPONENTS: self._read_component,
            _INSTANCES: self._read_instances,
            _ALIASES: self._read_aliases,
            _TYPES: partial(types.read_section, scope=scope),
            _CANON: self._read_canon,
            _IMPORTS: self._read_imports,
            _EXPORTS: self._read_exports,
        }
        try:
            if number in readers:
                readers[number](contents)
        except MalformedBinary:
            self.scope.lose_track()
            raise

    def as_entity(self) -> Entity:
        """This component as an entity that can be instantiated."""
        return Entity(COMPONENT, exports=self._exported, initial_bytes=self.scope.initial_bytes)

    def _read_custom(self, reader: Reader) -> None:
        match reader.name():
            case "component-name":
                self.name = read_component_name(reader)
            case "producers":
                self._findings.producers.update(dict.fromkeys(read_producers(reader)))

    def _read_module(self, reader: Reader) -> None:
        self.scope.add(MODULE, self._findings.add_module(reader))

    def _read_component(self, reader: Reader) -> None:
        if kind_of(reader.header()) != "component":
            raise MalformedBinary(f"no component at offset {reader.position:#x}")
        self._findings.counts[COMPONENT] += 1
        nested = _Component(self._findings, Scope(self.scope))
        nested.read_all(reader.at(reader.position + HEADER_BYTES))
        self.scope.add(COMPONENT, nested.as_entity())

    def _read_core_instances(self, reader: Reader) -> None:
        for _ in reader.entries():
            self._findings.counts["core instance"] += 1
            if reader.byte() == 0:
                self._add_memory(self.scope.get(MODULE, reader.number()))
            for _ in reader.entries():  # arguments, or bundled exports
                reader.name()
                reader.byte()
                reader.number()

    def _read_instances(self, reader: Reader) -> None:
        for _ in reader.entries():
            self._findings.counts[INSTANCE] += 1
            if reader.byte() == 0:
                component = self.scope.get(COMPONENT, reader.number())
                self._add_memory(component)
                exports = component.exports
                for _ in reader.entries():
                    reader.name()
                    read_sort(reader)
                    reader.number()
            else:
                exports = dict(self._bundled(reader))
            self.scope.add(INSTANCE, Entity(INSTANCE, exports=exports))

    def _bundled(self, reader: Reader) -> list[tuple[str, Entity]]:
        bundled = []
        for _ in reader.entries():
            name = read_extern_name(reader)
            bundled.append((name, read_reference(reader, self.scope)[1]))
        return bundled

    def _add_memory(self, instantiated: Entity) -> None:
        total = self.scope.initial_bytes + instantiated.initial_bytes
        self.scope.initial_bytes = min(total, MOST_BYTES)

    def _read_aliases(self, reader: Reader) -> None:
        for _ in reader.entries():
            self._findings.types.read_alias(reader, self.scope)

    def _read_canon(self, reader: Reader) -> None:
        for _ in reader.entries():
            lifted = read_canon(reader)
            if lifted is not None:
                self.scope.add(FUNCTION, Entity(FUNCTION, self.scope.get(TYPE, lifted).text))

    def _read_imports(self, reader: Reader) -> None:
        for _ in reader.entries():
            name, entity = self._findings.types.read_import(reader, self.scope)
            if len(self.imports) < MAX_LISTED:
                self.imports.append(self._entry(name, entity))

    def _read_exports(self, reader: Reader) -> None:
        for _ in reader.entries():
            name, entity = self._findings.types.read_export(reader, self.scope)
            self._exported[name] = entity
            if len(self.exports) < MAX_LISTED:
                self.exports.append(self._entry(name, entity))

    def _entry(self, name: str, entity: Entity) -> WorldEntry:
        exports: Mapping[str, Entity] = entity.exports or {}
        items = tuple(
            WorldItem(inner, item.kind, _shown(item))
            for inner, item in islice(exports.items(), min(MAX_LISTED, self._items_left))
        )
        self._items_left -= len(items)
        return WorldEntry(name, entity.kind, _shown(entity), items)


def _shown(entity: Entity) -> str:
    """The type of a function, or the definition of a type."""
    shown = {FUNCTION: entity.text, TYPE: entity.definition}
    return shown.get(entity.kind, "")
