"""Events at a terminal: a key is pressed, or its size changes."""

from typing import NamedTuple


class Key(NamedTuple):
    """A key that was pressed, by its name in `keys`."""

    name: str


class Resized(NamedTuple):
    """The terminal has a new size, in columns and lines."""

    width: int
    height: int
