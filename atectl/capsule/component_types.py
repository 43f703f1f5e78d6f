"""Types of the component model, read from a binary and written as WIT writes them.

Every type becomes text as it is read, cut at `MAX_TYPE_CHARACTERS`. Types that refer to it hold
that text, so nesting cannot make a type grow without bound. Instances and components keep their
exports as well; everything that refers to such a set shares it.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from atectl.capsule.binary import MalformedBinary, Reader, TooManyItems
from atectl.capsule.core_types import CoreTypes

MAX_TYPE_CHARACTERS = 200
"""The maximum length of a type as text; a longer one is cut."""

MAX_ENTITIES = 200_000
"""How many types, functions, instances and the like are kept; each takes some 300 bytes."""

MAX_LEVELS = 50
"""The maximum nesting depth of components and their types."""

FUNCTION, VALUE, TYPE, RESOURCE = "function", "value", "type", "resource"
COMPONENT, INSTANCE, MODULE = "component", "instance", "core module"

_PRIMITIVES = {
    0x7F: "bool", 0x7E: "s8", 0x7D: "u8", 0x7C: "s16", 0x7B: "u16", 0x7A: "s32", 0x79: "u32",
    0x78: "s64", 0x77: "u64", 0x76: "f32", 0x75: "f64", 0x74: "char", 0x73: "string",
    0x64: "error-context",
}  # fmt: skip
_SORTS = {1: FUNCTION, 2: VALUE, 3: TYPE, 4: COMPONENT, 5: INSTANCE}
_CORE, _CORE_MODULE = 0x00, 0x11


class Entity(NamedTuple):
    """Something that a component imports, exports, defines or refers to."""

    kind: str
    text: str = ""
    """The type of a function; for a type, the text by which others refer to it."""
    definition: str = ""
    """The definition of a named type; empty for other kinds."""
    exports: "Mapping[str, Entity] | None" = None
    """The exports of an instance or a component; None if they are not known."""
    initial_bytes: int = 0
    """For a core module or component: the initial size of all memories of one instance."""


class Scope:
    """The index spaces of a component, a component type or an instance type.

    Args:
        parent: the scope around it; None for the outermost.

    Raises:
        MalformedBinary: it is nested too deeply.
    """

    def __init__(self, parent: "Scope | None" = None) -> None:
        self.initial_bytes = 0
        self._parent = parent
        self._level: int = 0 if parent is None else parent._level + 1
        self._entities: list[int] = [0] if parent is None else parent._entities
        self._spaces: dict[str, list[Entity]] = {}
        self._is_certain = True
        if self._level > MAX_LEVELS:
            raise MalformedBinary(f"it is nested more than {MAX_LEVELS} levels deep")
        self._count()

    def add(self, space: str, entity: Entity) -> None:
        """Give the next index of an index space, such as that of types, to `entity`.

        Raises:
            TooManyItems: all scopes together have more than `MAX_ENTITIES`.
        """
        self._count()
        if self._is_certain:
            self._spaces.setdefault(space, []).append(entity)

    def lose_track(self) -> None:
        """Forget everything: after something unreadable, indices have no known meaning."""
        self._is_certain = False
        self._spaces.clear()

    def get(self, space: str, index: int) -> Entity:
        """The entity at `index` of an index space; an unknown one if there is none."""
        entities = self._spaces.get(space, ())
        return entities[index] if index < len(entities) else Entity(space, "_")

    def _count(self) -> None:
        self._entities[0] += 1
        if self._entities[0] > MAX_ENTITIES:
            raise TooManyItems(f"it has more than {MAX_ENTITIES} types and instances")

    def outer(self, count: int) -> "Scope":
        """The scope `count` levels further out.

        Raises:
            MalformedBinary: there are fewer levels.
        """
        scope: Scope | None = self
        for _ in range(min(count, MAX_LEVELS + 1)):
            scope = scope._parent if scope else None
        if scope is None:
            raise MalformedBinary("it refers to a component around it that is not there")
        return scope


class TypeReader:
    """Reads types into scopes, and notes the proposals that they use."""

    def __init__(self) -> None:
        self.core = CoreTypes()

    def read_section(self, reader: Reader, scope: Scope) -> None:
        """Read a type section."""
        for _ in reader.entries():
            scope.add(TYPE, self._defined(reader, scope))

    def pass_core_section(self, reader: Reader) -> None:
        """Skip a core type section: its types are never shown."""
        for _ in reader.entries():
            self._pass_core_type(reader)

    def read_import(self, reader: Reader, scope: Scope) -> tuple[str, Entity]:
        """Read an import: its name and its entity, which gets the next index of its kind."""
        name = read_extern_name(reader)
        space, entity = self._extern(reader, scope)
        entity = _named(name, space, entity)
        scope.add(space, entity)
        return name, entity

    def read_export(self, reader: Reader, scope: Scope) -> tuple[str, Entity]:
        """Read an export: its name and its entity, which gets the next index of its kind."""
        name = read_extern_name(reader)
        space, entity = read_reference(reader, scope)
        if reader.byte():
            _, ascribed = self._extern(reader, scope)
            entity = ascribed if ascribed.exports or not entity.exports else entity
        entity = _named(name, space, entity)
        scope.add(space, entity)
        return name, entity

    def read_alias(self, reader: Reader, scope: Scope) -> None:
        """Read an alias, which gets the next index of its kind."""
        space = read_sort(reader)
        match reader.byte():
            case 0:
                instance = scope.get(INSTANCE, reader.number())
                exported = (instance.exports or {}).get(reader.name())
                scope.add(space, exported or Entity(space, "_"))
            case 1:
                reader.number()
                reader.name()
                scope.add(space, Entity(space))
            case 2:
                around = scope.outer(reader.number())
                scope.add(space, around.get(space, reader.number()))
            case other:
                raise MalformedBinary(f"unknown alias {other} at offset {reader.position:#x}")

    def value(self, reader: Reader, scope: Scope) -> str:
        """Read the next value type."""
        index = reader.signed_number()
        if index >= 0:
            return scope.get(TYPE, index).text
        primitive = _PRIMITIVES.get(index & 0x7F)
        if primitive is None:
            raise MalformedBinary(f"unknown type at offset {reader.position - 1:#x}")
        return primitive

    def _defined(self, reader: Reader, scope: Scope) -> Entity:
        place, byte = reader.position, reader.byte()
        match byte:
            case 0x40 | 0x43:
                return Entity(FUNCTION, _cut(self._function(reader, scope, is_async=byte == 0x43)))
            case 0x41:
                return Entity(COMPONENT, exports=self._declared(reader, Scope(scope)))
            case 0x42:
                return Entity(INSTANCE, exports=self._declared(reader, Scope(scope)))
            case 0x3F | 0x3E:
                reader.byte()
                for _ in range(1 if byte == 0x3F else 2):
                    if reader.byte():
                        reader.number()
                return Entity(RESOURCE, "_")
        return Entity(TYPE, _cut(self._compound(reader, scope, byte, place)))

    def _compound(self, reader: Reader, scope: Scope, byte: int, place: int) -> str:
        if byte in _PRIMITIVES:
            return _PRIMITIVES[byte]
        match byte:
            case 0x72:
                fields = _listed(self._labelled(reader, scope) for _ in reader.entries())
                return f"record {{ {fields} }}"
            case 0x71:
                cases = _listed(self._case(reader, scope) for _ in reader.entries())
                return f"variant {{ {cases} }}"
            case 0x70:
                return f"list<{self.value(reader, scope)}>"
            case 0x67:
                return f"list<{self.value(reader, scope)}, {reader.number()}>"
            case 0x6F:
                return f"tuple<{_listed(self.value(reader, scope) for _ in reader.entries())}>"
            case 0x6E | 0x6D:
                word = "flags" if byte == 0x6E else "enum"
                return f"{word} {{ {_listed(reader.name() for _ in reader.entries())} }}"
            case 0x6B:
                return f"option<{self.value(reader, scope)}>"
            case 0x6A:
                return _result(self._maybe(reader, scope), self._maybe(reader, scope))
            case 0x69:
                return scope.get(TYPE, reader.number()).text
            case 0x68:
                return f"borrow<{scope.get(TYPE, reader.number()).text}>"
            case 0x66 | 0x65:
                self.core.features.add("component-model-async")
                item = self._maybe(reader, scope)
                return ("stream" if byte == 0x66 else "future") + (f"<{item}>" if item else "")
            case 0x63:
                return f"map<{self.value(reader, scope)}, {self.value(reader, scope)}>"
        raise MalformedBinary(f"unknown type {byte:#x} at offset {place:#x}")

    def _function(self, reader: Reader, scope: Scope, *, is_async: bool) -> str:
        if is_async:
            self.core.features.add("component-model-async")
        parameters = _listed(self._labelled(reader, scope) for _ in reader.entries())
        result = ""
        match reader.byte():
            case 0:
                result = f" -> {self.value(reader, scope)}"
            case 1:
                named = _listed(self._labelled(reader, scope) for _ in reader.entries())
                result = f" -> ({named})" if named else ""
            case other:
                raise MalformedBinary(f"unknown result {other} at offset {reader.position:#x}")
        return f"{'async ' if is_async else ''}({parameters}){result}"

    def _labelled(self, reader: Reader, scope: Scope) -> str:
        return f"{reader.name()}: {self.value(reader, scope)}"

    def _case(self, reader: Reader, scope: Scope) -> str:
        name = reader.name()
        item = self._maybe(reader, scope)
        reader.byte()  # an older format had a default case here; now it is always absent
        return f"{name}({item})" if item else name

    def _maybe(self, reader: Reader, scope: Scope) -> str:
        return self.value(reader, scope) if reader.byte() else ""

    def _declared(self, reader: Reader, scope: Scope) -> dict[str, Entity]:
        """The exports that an instance type or a component type declares."""
        exports: dict[str, Entity] = {}
        for _ in reader.entries():
            match reader.byte():
                case 0:
                    self._pass_core_type(reader)
                case 1:
                    scope.add(TYPE, self._defined(reader, scope))
                case 2:
                    self.read_alias(reader, scope)
                case 3:
                    self.read_import(reader, scope)
                case 4:
                    name, entity = self.read_import(reader, scope)
                    exports[name] = entity
                case other:
                    place = reader.position - 1
                    raise MalformedBinary(f"unknown declaration {other} at offset {place:#x}")
        return exports

    def _extern(self, reader: Reader, scope: Scope) -> tuple[str, Entity]:
        """The index space and the required type of an import or export."""
        place, byte = reader.position, reader.byte()
        match byte:
            case 0:
                reader.byte()
                reader.number()
                return MODULE, Entity(MODULE)
            case 1 | 4 | 5:
                described = scope.get(TYPE, reader.number())
                space = _SORTS[byte]
                return space, Entity(space, described.text, exports=described.exports)
            case 2:
                return VALUE, Entity(VALUE, self._value_bound(reader, scope))
            case 3:
                if reader.byte():
                    return TYPE, Entity(RESOURCE, "_")
                return TYPE, scope.get(TYPE, reader.number())
        raise MalformedBinary(f"unknown kind {byte} at offset {place:#x}")

    def _value_bound(self, reader: Reader, scope: Scope) -> str:
        if reader.byte():
            return self.value(reader, scope)
        return scope.get(VALUE, reader.number()).text

    def _pass_core_type(self, reader: Reader) -> None:
        """Skip a core type, or the type of a core module."""
        if reader.peek() == 0x50:
            reader.byte()
            for _ in reader.entries():
                self._pass_module_declaration(reader)
            return
        if reader.peek() == 0:
            reader.byte()
        self.core.pass_type(reader)

    def _pass_module_declaration(self, reader: Reader) -> None:
        match reader.byte():
            case 0:
                reader.name()
                reader.name()
                self.core.pass_import_type(reader)
            case 1:
                self._pass_core_type(reader)
            case 2:
                reader.byte()
                reader.byte()
                reader.number()
                reader.number()
            case 3:
                reader.name()
                self.core.pass_import_type(reader)
            case other:
                raise MalformedBinary(
                    f"unknown declaration {other} at offset {reader.position - 1:#x}"
                )


def read_extern_name(reader: Reader) -> str:
    """Read the name of an import or export."""
    form = reader.byte()
    if form > 1:
        raise MalformedBinary(f"unknown name at offset {reader.position - 1:#x}")
    return reader.name()


def read_sort(reader: Reader) -> str:
    """Read a kind of entity: `function`, `instance` …, or `core NUMBER`."""
    byte = reader.byte()
    if byte == _CORE:
        kind = reader.byte()
        return MODULE if kind == _CORE_MODULE else f"core {kind}"
    if byte not in _SORTS:
        raise MalformedBinary(f"unknown kind {byte} at offset {reader.position - 1:#x}")
    return _SORTS[byte]


def read_reference(reader: Reader, scope: Scope) -> tuple[str, Entity]:
    """Read a kind and an index: the index space, and the entity at that index."""
    space = read_sort(reader)
    return space, scope.get(space, reader.number())


def _named(name: str, space: str, entity: Entity) -> Entity:
    """A named type is referred to by its name from here on; other kinds stay as they are."""
    if space != TYPE:
        return entity
    return entity._replace(text=_cut(name), definition="" if entity.text == name else entity.text)


def _result(fine: str, failed: str) -> str:
    if failed:
        return f"result<{fine or '_'}, {failed}>"
    return f"result<{fine}>" if fine else "result"


def _listed(parts: Iterable[str]) -> str:
    """All `parts` joined, up to the length that is kept. Each part is read in any case."""
    text = ""
    for part in parts:
        if len(text) <= MAX_TYPE_CHARACTERS:
            text += f", {part}" if text else part
    return text


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TYPE_CHARACTERS else f"{text[: MAX_TYPE_CHARACTERS - 1]}…"
