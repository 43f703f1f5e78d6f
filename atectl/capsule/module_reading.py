"""Reading a core module from its sections, without compiling it.

Of function bodies only the types of the locals are read. Only the engine can say whether the module
is valid.
"""

from array import array
from collections import Counter
from collections.abc import Callable
from functools import partial

from atectl.capsule.binary import MalformedBinary, Reader, TooManyItems
from atectl.capsule.core_types import CoreTypes, pass_initialiser
from atectl.capsule.module_facts import (
    FUNCTION,
    GLOBAL,
    MEMORY,
    TABLE,
    TAG,
    Counts,
    Export,
    Import,
    Memory,
    ModuleFacts,
    Table,
    memory_text,
    table_text,
)
from atectl.capsule.names import (
    NO_NAMES,
    Producer,
    read_names,
    read_producers,
    read_target_features,
)
from atectl.capsule.sections import CUSTOM, MAX_LISTED, Faults, Found, Section, explore, walk

_KINDS = (FUNCTION, TABLE, MEMORY, GLOBAL, TAG)

(
    _TYPES, _IMPORTS, _FUNCTIONS, _TABLES, _MEMORIES, _GLOBALS, _EXPORTS, _START, _ELEMENTS,
    _CODE, _DATA, _DATA_COUNT, _TAGS,
) = range(1, 14)  # fmt: skip

_TABLE_WITH_INITIALISER = 0x40
_NAMES_AND_TYPES, _TYPE_AND_NAMES = 0x7F, 0x7E


def read_module(reader: Reader, faults: Faults) -> ModuleFacts:
    """The facts of a module. `reader` is at its first section.

    Faults are added to `faults`; everything that can still be read is read.
    """
    module = _Module()
    try:
        for found in walk(reader, "module", faults):
            if len(module.sections) < MAX_LISTED:
                module.sections.append(found.section)
            explore(found, faults, partial(module.read, found))
    except TooManyItems as error:
        faults.tell(str(error))
    module.tell_what_is_missing(reader, faults)
    return module.facts()


class _Module:
    """A module while it is read."""

    def __init__(self) -> None:
        self.sections: list[Section] = []
        self._types = CoreTypes()
        self._entries: Counter[int] = Counter()
        self._announced_data = 0
        self._imports: list[Import] = []
        self._exports: list[Export] = []
        self._function_types = array("I")
        self._tables: list[Table] = []
        self._memories: list[Memory] = []
        self._initial_bytes = 0
        self._largest_table = 0
        self._globals: list[str] = []
        self._tag_types = array("I")
        self._imported: Counter[str] = Counter()
        self._start: int | None = None
        self._names = NO_NAMES
        self._producers: tuple[Producer, ...] = ()
        self._target_features: tuple[str, ...] = ()

    def read(self, found: Found, contents: Reader) -> None:
        """Read one section."""
        self._entries[found.number] += found.section.entries or 0
        readers: dict[int, Callable[[Reader], None]] = {
            CUSTOM: self._read_custom,
            _TYPES: self._types.read_section,
            _IMPORTS: self._read_imports,
            _FUNCTIONS: self._read_functions,
            _TABLES: self._read_tables,
            _MEMORIES: self._read_memories,
            _GLOBALS: self._read_globals,
            _EXPORTS: self._read_exports,
            _START: self._read_start,
            _CODE: self._read_code,
            _DATA_COUNT: self._read_data_count,
            _TAGS: self._read_tags,
        }
        if found.number in readers:
            readers[found.number](contents)

    def tell_what_is_missing(self, reader: Reader, faults: Faults) -> None:
        """Report functions and data that are declared but whose section is missing."""
        if self._entries[_FUNCTIONS] and not self._entries[_CODE]:
            faults.tell_end(reader, "the code of its functions is not there")
        if self._announced_data and not self._entries[_DATA]:
            faults.tell_end(reader, "the data that it announces is not there")

    def facts(self) -> ModuleFacts:
        """What was read so far."""
        features = set(self._types.features)
        if self._imported[MEMORY] + self._entries[_MEMORIES] > 1:
            features.add("multi-memory")
        if self._imported[TABLE] + self._entries[_TABLES] > 1:
            features.add("reference-types")
        return ModuleFacts(
            counts=self._counts(),
            imports=tuple(self._imports),
            exports=tuple(self._exports),
            memories=tuple(self._memories),
            tables=tuple(self._tables),
            initial_bytes=self._initial_bytes,
            largest_table=self._largest_table,
            globals=tuple(self._globals[:MAX_LISTED]),
            start=self._start,
            names=self._names,
            producers=self._producers,
            target_features=self._target_features,
            features=tuple(sorted(features)),
            sections=tuple(self.sections),
        )

    def _counts(self) -> Counts:
        entries, imported = self._entries, self._imported
        return Counts(
            types=entries[_TYPES],
            imports=imported.total(),
            functions=imported[FUNCTION] + entries[_FUNCTIONS],
            tables=imported[TABLE] + entries[_TABLES],
            memories=imported[MEMORY] + entries[_MEMORIES],
            globals=imported[GLOBAL] + entries[_GLOBALS],
            tags=imported[TAG] + entries[_TAGS],
            exports=entries[_EXPORTS],
            elements=entries[_ELEMENTS],
            data=entries[_DATA],
        )

    def _read_custom(self, reader: Reader) -> None:
        match reader.name():
            case "name":
                self._names = read_names(reader, self._start)
            case "producers":
                self._producers = read_producers(reader)
            case "target_features":
                self._target_features = read_target_features(reader)

    def _read_imports(self, reader: Reader) -> None:
        for _ in reader.entries():
            module, name = reader.name(), reader.name()
            if not name and reader.peek() in (_NAMES_AND_TYPES, _TYPE_AND_NAMES):
                self._read_import_group(reader, module)
            else:
                self._read_import(reader, module, name)

    def _read_import_group(self, reader: Reader, module: str) -> None:
        """Several imports of one module, each with its type or all of one type."""
        self._types.features.add("compact-imports")
        if reader.byte() == _NAMES_AND_TYPES:
            for _ in reader.entries():
                self._read_import(reader, module, reader.name())
            return
        place = reader.position
        self._types.pass_import_type(reader)
        for _ in reader.entries():
            self._read_import(reader.at(place), module, reader.name())

    def _read_import(self, reader: Reader, module: str, name: str) -> None:
        kind = _kind(reader)
        self._imported[kind] += 1
        type_ = self._read_type(reader, kind, is_imported=True)
        if len(self._imports) < MAX_LISTED:
            self._imports.append(Import(module, name, kind, type_))

    def _read_type(self, reader: Reader, kind: str, *, is_imported: bool) -> str:
        """Read the next type, and record it for the next index of its kind."""
        match kind:
            case "function":
                self._function_types.append(reader.number())
                return self._types.text(self._function_types[-1])
            case "table":
                return table_text(self._add_table(reader, is_imported=is_imported))
            case "memory":
                return memory_text(self._add_memory(reader, is_imported=is_imported))
            case "global":
                self._globals.append(self._types.global_(reader))
                return self._globals[-1]
        self._types.features.add("exceptions")
        reader.byte()
        self._tag_types.append(reader.number())
        return self._types.text(self._tag_types[-1])

    def _add_table(self, reader: Reader, *, is_imported: bool) -> Table:
        has_initialiser = reader.peek() == _TABLE_WITH_INITIALISER
        if has_initialiser:
            reader.skip(2)
        element = self._types.value(reader)
        limits = self._types.limits(reader)
        if has_initialiser:
            pass_initialiser(reader, self._types)
        table = Table(element, limits.minimum, limits.maximum, is_imported, limits.is_64)
        if len(self._tables) < MAX_LISTED:
            self._tables.append(table)
        if not is_imported:
            self._largest_table = max(self._largest_table, table.minimum)
        return table

    def _add_memory(self, reader: Reader, *, is_imported: bool) -> Memory:
        limits = self._types.limits(reader)
        page = limits.page_bytes
        most = None if limits.maximum is None else limits.maximum * page
        memory = Memory(
            limits.minimum * page, most, is_imported, limits.is_shared, limits.is_64, page
        )
        if len(self._memories) < MAX_LISTED:
            self._memories.append(memory)
        if not is_imported:
            self._initial_bytes += memory.minimum_bytes
        return memory

    def _read_functions(self, reader: Reader) -> None:
        for _ in reader.entries():
            self._function_types.append(reader.number())

    def _read_tables(self, reader: Reader) -> None:
        for _ in reader.entries():
            self._add_table(reader, is_imported=False)

    def _read_memories(self, reader: Reader) -> None:
        for _ in reader.entries():
            self._add_memory(reader, is_imported=False)

    def _read_globals(self, reader: Reader) -> None:
        for _ in reader.entries():
            self._globals.append(self._types.global_(reader))
            pass_initialiser(reader, self._types)

    def _read_tags(self, reader: Reader) -> None:
        for _ in reader.entries():
            self._read_type(reader, TAG, is_imported=False)

    def _read_exports(self, reader: Reader) -> None:
        for _ in reader.entries():
            name, kind, index = reader.name(), _kind(reader), reader.number()
            if len(self._exports) < MAX_LISTED:
                self._exports.append(Export(name, kind, self._type_of(kind, index)))

    def _type_of(self, kind: str, index: int) -> str:
        """The type, as text, of the entity of a kind at `index`; empty if there is none."""
        try:
            match kind:
                case "function":
                    return self._types.text(self._function_types[index])
                case "table":
                    return table_text(self._tables[index])
                case "memory":
                    return memory_text(self._memories[index])
                case "global":
                    return self._globals[index]
            return self._types.text(self._tag_types[index])
        except IndexError:
            return ""

    def _read_start(self, reader: Reader) -> None:
        self._start = reader.number()

    def _read_data_count(self, reader: Reader) -> None:
        self._announced_data = reader.number()
        self._types.features.add("bulk-memory")

    def _read_code(self, reader: Reader) -> None:
        for _ in reader.entries():
            body = reader.take(reader.number())
            for _ in body.entries():
                body.number()
                self._types.value(body)


def _kind(reader: Reader) -> str:
    number = reader.byte()
    if number >= len(_KINDS):
        raise MalformedBinary(f"unknown kind {number} at offset {reader.position - 1:#x}")
    return _KINDS[number]
