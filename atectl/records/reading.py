"""Reading what somebody else wrote: files of TOML, lines of JSON, and the tables in them.

A `Table` declares which keys there may be and what each is read with. A reader is small and pure:
it takes a value and returns what that stands for, or raises a `Fault`. Each level that a fault
passes on its way up adds where it is; whoever knows the subject makes an error of its own of it.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self, TypeVar

from atectl.errors import AtectlError, cut, nearest, quoted
from atectl.records.types import Record

Value = TypeVar("Value")


class Place(NamedTuple):
    """Where something stands. What is empty or 0 is not known, or there is none.

    `line` counts from 1. `key` is the way to a value: `host: limit`, or `capsule 2: path` for the
    second table of a list.
    """

    file: str = ""
    line: int = 0
    key: str = ""

    def __str__(self) -> str:
        line = f"line {self.line}" if self.line else ""
        return ": ".join(part for part in (self.file, line, self.key) if part)


class Fault(Exception):
    """What is wrong with something that was read.

    Args:
        what: the fault, without its place.
        place: where it is, as far as is known yet.
        remedy: what to do; None for what helps with any such file.
    """

    def __init__(self, what: str, place: Place = Place(), *, remedy: str | None = None) -> None:  # noqa: B008
        super().__init__(what)
        self.what = what
        self.place = place
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.place}: {self.what}" if any(self.place) else self.what

    def within(self, part: str) -> Self:
        """Put a part before its key: a key, the number of an item as ` 2`, or a name as `.x`."""
        joint = "" if self.place.key[:1] in ("", " ", ".") else ": "
        self.place = self.place._replace(key=f"{part}{joint}{self.place.key}")
        return self

    def at(self, *, file: str = "", line: int = 0) -> Self:
        """Add the file or the line that it stands in."""
        self.place = self.place._replace(file=file or self.place.file, line=line or self.place.line)
        return self


class Reader(NamedTuple):
    """How a value is read. `takes` says what is taken, in the terms of JSON Schema; a `Table` in it
    stands for its schema.

    `read` raises `Fault`, or an error of ours that tells what a fault would.
    """

    read: Callable[[Any], Any]
    takes: "Mapping[str, Any] | Table"


class Field(NamedTuple):
    """A key that a table may have, and the field that its value becomes: `name`, or the key.

    `says` is what it means; where it is empty, the docstring of that field says it.
    """

    key: str
    reader: Reader
    name: str = ""
    is_required: bool = False
    says: str = ""


class Table:
    """The keys of a table or an object, and the records that their values are fields of.

    Args:
        records: named tuples, each with some of the fields; their docstrings describe the keys.
        fields: the keys, in the order in which they are told.
        takes_others: whether keys that are not known are passed over, rather than refused.
        says: what the table is, where no docstring of a record says it.
    """

    def __init__(
        self,
        *records: type[Record],
        fields: tuple[Field, ...],
        takes_others: bool = False,
        says: str = "",
    ) -> None:
        self.records = records
        self.says = says
        self.fields = fields
        self.takes_others = takes_others
        self._readers = {each.key: (each.name or each.key, each.reader.read) for each in fields}
        self._required = tuple(each.key for each in fields if each.is_required)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._readers)

    def name_of(self, key: str) -> str:
        """The field that a key becomes."""
        return self._readers[key][0]

    def values(self, given: Any) -> dict[str, Any]:
        """What `given` holds, read, by the names of the fields.

        Raises:
            Fault: it is no table, has a key or a value that is not taken, or lacks one.
        """
        if not isinstance(given, dict):
            raise Fault(f"{shown(given)} is no table of keys and values")
        found: dict[str, Any] = {}
        readers = self._readers
        for key, value in given.items():
            known = readers.get(key)
            if known is None:
                if self.takes_others:
                    continue
                raise Fault(f"unknown key {quoted(key)}{nearest(key, list(readers))}")
            try:
                found[known[0]] = known[1](value)
            except (AtectlError, Fault) as error:
                raise fault_of(error).within(key) from None
        for key in self._required:
            if key not in given:
                raise Fault(f"{key} is missing", remedy=f"add the key {key}")
        return found


class Variants(NamedTuple):
    """Tables that are told apart by the word under a key of theirs."""

    key: str
    tables: Mapping[str, Table]
    says: str

    def choose(self, given: Mapping[str, Any]) -> str | None:
        """The name of the table that `given` is one of; None if it is none."""
        name = given.get(self.key)
        return name if isinstance(name, str) and name in self.tables else None


def part_of(values: Mapping[str, Any], record: type[Record]) -> dict[str, Any]:
    """Those of the values that are fields of `record`."""
    fields: tuple[str, ...] = record._fields  # type: ignore[attr-defined]
    return {name: values[name] for name in fields if name in values}


def checked(key: str, read: Callable[[], Value]) -> Value:
    """Call `read` for the value of a key. Its errors become faults that name the key.

    Raises:
        Fault: `read` raised one, or an error of ours.
    """
    try:
        return read()
    except (AtectlError, Fault) as error:
        raise fault_of(error).within(key) from None


def fault_of(error: AtectlError | Fault) -> Fault:
    """The fault that stands for an error of atectl: with the same message and remedy."""
    return error if isinstance(error, Fault) else Fault(str(error), remedy=error.remedy)


# Values in messages


def shown(value: Any) -> str:
    """A value for a message, as JSON, cut short."""
    import json  # which settings are read without

    try:
        return cut(json.dumps(value, default=str))
    except (ValueError, RecursionError):
        return "a number of thousands of digits" if isinstance(value, int) else "a value"
