"""Records, and the marks in the annotations of their fields, from which JSON and schemas are made.

A mark stands in `Annotated[...]`. Beside those here, `atectl.units.Moment` is a time, and a tuple
of words among the marks has all that a text may be.
"""

from enum import Enum, auto
from typing import Any, NamedTuple

Record = tuple[Any, ...]
"""Any named tuple; type checkers have no name for these."""


def is_record(kind: Any) -> bool:
    """Whether a type is that of a record."""
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


class Mark(Enum):
    """What a field is."""

    INLINE = auto()
    """Its own fields stand in its place, at the level of the record that it is a field of."""
    EMPTY_IS_UNKNOWN = auto()
    """Text that is null in JSON where it is empty."""


class Without(NamedTuple):
    """Fields of a record that are left out."""

    names: frozenset[str]


def without(*names: str) -> Without:
    return Without(frozenset(names))
