"""Schemas of what atectl writes and reads: JSON Schema, draft 2020-12.

They are made from what the program itself goes by: the annotations of the records that it writes,
the tables that it reads by, and the docstrings of both. Nothing is written for a schema alone.
"""

import ast
from collections.abc import Mapping
from enum import Enum
from functools import cache
from importlib import import_module
from inspect import isfunction
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from atectl.records.as_json import SCHEMA_VERSION, is_inline
from atectl.records.reading import Field, Table, Variants
from atectl.records.types import Mark, Without, is_record
from atectl.units import MOMENT, STORED

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_UNITS = {
    "byte_seconds": "In bytes times seconds.",
    "bytes": "In bytes.",
    "_bytes": "In bytes.",
    "_ms": "In milliseconds.",
    "_s": "In seconds.",
}
"""What the end of a name says of its value."""

_VERSION = {
    "const": SCHEMA_VERSION,
    "description": "Raised when something is taken away from the document, not when it is added.",
}


def schema_of(name: str, declared: str) -> Schema:
    """The schema of a document.

    Args:
        name: of the document.
        declared: where it is declared, as `module:name`: the record, or the union of records, that
            is written as it; or the table, or the variants, that it is read by. What is on the way
            of every command makes its table only where it is asked for, by a function.
    """
    module, _, variable = declared.partition(":")
    kind = getattr(import_module(module), variable)
    if isfunction(kind):
        kind = kind()
    found = _Schemas()
    if isinstance(kind, Table):
        body = found.table(kind)
    elif isinstance(kind, Variants):
        body = found.variants(kind)
    elif is_record(kind):
        body = found.document(kind)
    else:
        body = found.either(get_args(kind), _docs_in(module)[""][variable])
    schema = {"$schema": DIALECT, "$id": f"urn:atectl:schema:{name}:{SCHEMA_VERSION}", **body}
    return schema | ({"$defs": found.definitions} if found.definitions else {})


class _Schemas:
    """The schemas of one document, as they are found."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self._kinds: dict[str, type[Any]] = {}

    # What is written

    def document(self, kind: type[Any]) -> Schema:
        """The schema of a record that is a whole document."""
        body = self.record(kind)
        body["properties"] = {"schema_version": _VERSION, **body["properties"]}
        body["required"] = ["schema_version", *body["required"]]
        return body

    def either(self, kinds: tuple[type[Any], ...], about: str) -> Schema:
        """The schema of a document that is one of several records."""
        return {
            **_about(about),
            "anyOf": [self.named(kind, self.document(kind)) for kind in kinds],
        }

    def record(self, kind: type[Any], left_out: frozenset[str] = frozenset()) -> Schema:
        properties: dict[str, Schema] = {}
        hints = get_type_hints(kind, include_extras=True)
        for name in kind._fields:
            if is_inline(hints[name]):
                properties |= self.record(get_args(hints[name])[0])["properties"]
            elif name not in left_out:
                found = self.annotation(hints[name])
                properties[name] = found | _described(_docs_of(kind).get(name, ""), name, found)
        return _object(_words(kind.__doc__), properties, list(properties))

    def annotation(self, annotation: Any) -> Schema:
        """The schema of a value of this type."""
        origin, inner = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self._marked(inner[0], annotation.__metadata__)
        if origin in (Union, UnionType):
            kinds = [self.annotation(each) for each in inner if each is not NoneType]
            either = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
            return _nullable(either) if NoneType in inner else either
        if origin is Literal:
            return {"type": "string", "enum": list(inner)}
        if origin is tuple:
            return {"type": "array", "items": self.annotation(inner[0])}
        if origin is not None and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.annotation(inner[1])}
        if is_record(annotation):
            return self.named(annotation, None)
        if issubclass(annotation, Enum):
            return self._enumeration(annotation)
        return {"type": next((_TYPES[kind] for kind in _TYPES if annotation is kind), "string")}

    def named(self, kind: type[Any], schema: Schema | None) -> Schema:
        """A reference to the schema of a record, which is given or made here."""
        name = kind.__name__
        if self._kinds.setdefault(name, kind) is not kind:
            raise TypeError(f"two types are called {name}")
        if name not in self.definitions:
            self.definitions[name] = {}  # keeps its place before what it refers to
            self.definitions[name] = schema or self.record(kind)
        return {"$ref": f"#/$defs/{name}"}

    def _marked(self, base: Any, marks: tuple[Any, ...]) -> Schema:
        if STORED in marks:
            return _nullable(self._marked(base, tuple(mark for mark in marks if mark != STORED)))
        if MOMENT in marks:
            return {"type": "string", "format": "date-time"}
        if Mark.EMPTY_IS_UNKNOWN in marks:
            return _nullable({"type": "string"})
        for mark in marks:
            if isinstance(mark, Without):
                return self.named(base, self.record(base, mark.names))
            if isinstance(mark, tuple):
                return {"type": "string", "enum": list(mark)}
        return self.annotation(base)

    def _enumeration(self, kind: type[Enum]) -> Schema:
        says = [f"`{name.value}`: {doc}" for name, doc in _members(kind)]
        description = "\n".join([_words(kind.__doc__), *says])
        values = [each.value for each in kind]
        return self.named(kind, {"type": "string", "enum": values, "description": description})

    # What is read

    def table(self, table: Table) -> Schema:
        properties = {field.key: self._key(table, field) for field in table.fields}
        required = [field.key for field in table.fields if field.is_required]
        about = table.says or _words(table.records[0].__doc__)
        return _object(about, properties, required)

    def variants(self, variants: Variants) -> Schema:
        """The schema of a line that is one of several objects, told apart by a key."""
        found = []
        for name, table in variants.tables.items():
            body = self.table(table)
            tag = {"const": name, "description": body["description"]}
            body["properties"] = {variants.key: tag, **body["properties"]}
            body["required"] = [variants.key, *body.get("required", ())]
            self.definitions[name] = body
            found.append({"$ref": f"#/$defs/{name}"})
        return {**_about(variants.says), "anyOf": found}

    def _key(self, table: Table, field: Field) -> Schema:
        name = field.name or field.key
        takes: Schema = self._taken(field.reader.takes)
        doc, default = field.says, {}
        for record in table.records:
            if name in record._fields:  # type: ignore[attr-defined]
                doc = doc or _docs_of(record).get(name, "")
                default = _default(record._field_defaults.get(name))  # type: ignore[attr-defined]
        form = takes.get("description", "")
        return takes | _described(f"{doc} {form}".strip(), name, takes) | default

    def _taken(self, takes: Any) -> Any:
        """What a reader takes, with the schemas of tables in it."""
        if isinstance(takes, Table):
            if takes.says:  # it is described where it stands, rather than by a record
                return self.table(takes)
            return self.named(takes.records[0], self.table(takes))
        if isinstance(takes, Mapping):
            return {key: self._taken(value) for key, value in takes.items()}
        if isinstance(takes, list):
            return [self._taken(each) for each in takes]
        return takes


def _object(about: str, properties: dict[str, Schema], required: list[str]) -> Schema:
    return {
        **_about(about),
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _about(doc: str) -> Schema:
    """The title is the first sentence, or what stands in it before a colon."""
    title = doc.partition(". ")[0].partition(": ")[0].rstrip(".")
    return {"title": title, "description": doc}


def _nullable(schema: Schema) -> Schema:
    if "enum" in schema:
        return {"type": [schema["type"], "null"], "enum": [*schema["enum"], None]}
    if isinstance(schema.get("type"), str):
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _described(doc: str, name: str, schema: Schema) -> Schema:
    """The description of a field: what is said of it, and its unit if it is a number."""
    kinds = schema.get("type", ())
    is_number = any(kind in kinds for kind in ("integer", "number"))
    if is_number and "string" not in kinds:
        unit = next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")
        doc = f"{doc} {unit}".strip()
    return _if_any("description", doc)


def _default(value: Any) -> Schema:
    if value is None:
        return {}
    if isinstance(value, tuple):
        return {"default": list(value)}
    return {"default": str(value) if isinstance(value, Path) else value}


def _if_any(key: str, text: str) -> Schema:
    return {key: text} if text else {}


# Docstrings


def _words(doc: str | None) -> str:
    return " ".join((doc or "").split())


def _docs_of(kind: type[Any]) -> dict[str, str]:
    """The docstring below each field of a class, by the name of the field."""
    return _docs_in(kind.__module__).get(kind.__name__, {})


def _members(kind: type[Enum]) -> list[tuple[Enum, str]]:
    docs = _docs_of(kind)
    return [(each, docs[each.name]) for each in kind if each.name in docs]


@cache
def _docs_in(module: str) -> dict[str, dict[str, str]]:
    """The docstrings of fields in a module, by class, and of its own names, by "".

    Python itself does not keep them.
    """
    file = import_module(module).__file__
    if file is None or not Path(file).exists():
        return {}
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {"": _docs_below(tree.body), **{each.name: _docs_below(each.body) for each in classes}}


def _docs_below(body: list[ast.stmt]) -> dict[str, str]:
    found = {}
    for statement, below in pairwise(body):
        if isinstance(statement, ast.AnnAssign):
            target: ast.expr = statement.target
        elif isinstance(statement, ast.Assign):
            target = statement.targets[0]
        else:
            continue
        is_doc = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if is_doc and isinstance(target, ast.Name):
            found[target.id] = _words(str(below.value.value))  # type: ignore[attr-defined]
    return found
