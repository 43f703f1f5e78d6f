"""The readers: what each value that somebody else wrote may be, and what it stands for."""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from atectl.errors import AtectlError, nearest
from atectl.records.reading import Fault, Reader, Table, fault_of, shown
from atectl.units import (
    DURATION_PATTERN,
    MAX_DURATION_S,
    MAX_SIZE_BYTES,
    MIN_DURATION_S,
    SIZE_PATTERN,
    parse_duration,
    parse_size,
)

MIN_FRACTION = 0.0001
"""The smallest fraction of a host's limit: four decimals count."""

_PERCENT = re.compile(r"\s*([0-9]{1,3}(?:\.[0-9]{1,9})?)\s*%\s*", re.ASCII)
_MOST_BITS = 128
"""Of an integer: no size and no time has more, and Python writes none of thousands of digits."""

# Text


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Fault(f"{shown(value)} is no text in quotes")
    if "\0" in value:
        raise Fault(f"{shown(value)} holds a NUL character, which no file or argument can have")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Fault(f"{shown(value)} is not UTF-8") from None
    return value


def _filled(value: Any) -> str:
    if value == "":
        raise Fault("it is empty")
    return _text(value)


text = Reader(_text, {"type": "string"})
filled = Reader(_filled, {"type": "string", "minLength": 1})
"""Text that is not empty, such as the name of a file."""


def short(characters: int) -> Reader:
    """Text of so many characters at most."""

    def read(value: Any) -> str:
        found = _text(value)
        if len(found) > characters:
            raise Fault(f"it has {len(found)} characters; at most {characters} are taken")
        return found

    return Reader(read, {"type": "string", "maxLength": characters})


def one_of(choices: tuple[str, ...]) -> Reader:
    """One of these words."""

    def read(value: Any) -> str:
        if value not in choices:
            near = nearest(value, list(choices)) if isinstance(value, str) else ""
            raise Fault(f"{shown(value)} is none of {', '.join(choices)}{near}")
        return str(value)

    return Reader(read, {"enum": list(choices)})


def member(choices: type[StrEnum]) -> Reader:
    """A member of an enumeration, by its value."""
    by_value = {each.value: each for each in choices}

    def read(value: Any) -> StrEnum:
        try:
            return by_value[value]
        except (KeyError, TypeError):
            raise Fault(f"{shown(value)} is none of {', '.join(by_value)}") from None

    return Reader(read, {"enum": list(by_value)})


# Numbers


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Fault(f"{shown(value)} is neither true nor false")
    return value


flag = Reader(_flag, {"type": "boolean"})


def whole(least: int, most: int) -> Reader:
    """A whole number in this range."""

    def read(value: Any) -> int:
        if value.__class__ is not int or not least <= value <= most:
            raise Fault(f"{shown(value)} is no whole number from {least} to {most}")
        return value

    return Reader(read, {"type": "integer", "minimum": least, "maximum": most})


def number(least: float, most: float) -> Reader:
    """A number in this range, with a fraction or without."""

    def read(value: Any) -> float:
        if not (value.__class__ in (float, int) and least <= value <= most):  # NaN is in no range
            raise Fault(f"{shown(value)} is no number from {least:g} to {most:g}")
        return float(value)

    return Reader(read, {"type": "number", "minimum": least, "maximum": most})


def exactly(wanted: int) -> Reader:
    """This number and no other."""

    def read(value: Any) -> int:
        if value.__class__ is not int or value != wanted:
            raise Fault(f"it is {shown(value)}, not {wanted}")
        return wanted

    return Reader(read, {"const": wanted})


bytes_read = whole(0, MAX_SIZE_BYTES)
"""A number of bytes."""


def _size(value: Any) -> int:
    is_whole = value.__class__ is int or (value.__class__ is float and value.is_integer())
    if not is_whole and not isinstance(value, str):
        raise Fault(f"{shown(value)} is not a size")
    return parse_size(number_text(value) if is_whole else _text(value))


size = Reader(
    _size,
    {
        "type": ["string", "integer"],
        "pattern": SIZE_PATTERN,
        "minimum": 1,
        "maximum": MAX_SIZE_BYTES,
        "description": "A size: `64MiB`, `64M` (binary), `64MB` (decimal), or bytes.",
    },
)
"""A size: text such as `64MiB`, or a number of bytes."""


def _duration(value: Any) -> float:
    is_number = value.__class__ in (int, float)
    if not is_number and not isinstance(value, str):
        raise Fault(f"{shown(value)} is not a duration")
    return parse_duration(number_text(value) if is_number else _text(value))


duration = Reader(
    _duration,
    {
        "type": ["string", "number"],
        "pattern": DURATION_PATTERN,
        "minimum": MIN_DURATION_S,
        "maximum": MAX_DURATION_S,
        "description": "A duration: `250ms`, `90s`, `5m`, `1h30m`, or seconds.",
    },
)
"""A duration: text such as `5m`, or a number of seconds."""


def _fraction(value: Any) -> float:
    percent = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    fraction = value if percent is None else float(percent[1]) / 100
    if fraction.__class__ not in (int, float) or not MIN_FRACTION <= fraction <= 1:
        raise Fault(
            f"{shown(value)} is no fraction of the limit",
            remedy='write a number from 0.0001 to 1, or a percentage such as "80%"',
        )
    return float(fraction)


fraction = Reader(
    _fraction,
    {
        "type": ["number", "string"],
        "minimum": MIN_FRACTION,
        "maximum": 1,
        "pattern": f"^{_PERCENT.pattern}$",
        "description": "A fraction such as 0.8, or a percentage such as `80%`.",
    },
)
"""A fraction of a host's limit, to four decimals: a number, or a percentage as text."""


def number_text(value: float) -> str:
    """A number as `parse_size` and `parse_duration` read it.

    Raises:
        Fault: it has more digits than any size or time.
    """
    if isinstance(value, int):
        if value.bit_length() > _MOST_BITS:
            raise Fault(
                f"{shown(value)} is larger than any size or time", remedy="write a smaller number"
            )
        return str(value)
    return f"{value:f}".rstrip("0").rstrip(".")  # which has no exponent


# Made of other readers


def optional(reader: Reader, *, none: str | None = None) -> Reader:
    """What `reader` reads, or nothing: None, or the word `none`."""
    read_value = reader.read

    def read(value: Any) -> Any:
        return None if value == none else read_value(value)

    return Reader(read, {"anyOf": [reader.takes, {"const": none}]})


def listed(reader: Reader, noun: str) -> Reader:
    """A list of what `reader` reads, as a tuple; `noun` says in the plural what that is."""
    read_item = reader.read

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Fault(f"{shown(value)} is no list of {noun}")
        found = []
        for each in value:
            try:
                found.append(read_item(each))
            except (AtectlError, Fault) as error:
                raise fault_of(error).within(f" {len(found) + 1}") from None
        return tuple(found)

    return Reader(read, {"type": "array", "items": reader.takes})


def read_as(record: Callable[..., Any], table: Table) -> Reader:
    """Reads a table or an object into a record, which has its values as fields."""
    return Reader(lambda value: record(**table.values(value)), table)


def values_of(table: Table) -> Reader:
    """Reads a table or an object into a dictionary, by the names of the fields."""
    return Reader(table.values, table)


def by_name(name: Reader, reader: Reader) -> Reader:
    """Reads a table of any keys: `name` reads each key, and `reader` each value."""
    read_name, read_value = name.read, reader.read

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Fault(f"{shown(value)} is no table of names")
        found = {}
        for key, each in value.items():
            try:
                found[read_name(key)] = read_value(each)
            except (AtectlError, Fault) as error:
                raise fault_of(error).within(f".{key}") from None
        return found

    takes = {"type": "object", "propertyNames": name.takes, "additionalProperties": reader.takes}
    return Reader(read, takes)
