"""What happens at a terminal: keys, and new sizes."""

from typing import NamedTuple


class Key(NamedTuple):
    """A key, by the names of `terminal_keys`."""

    name: str


class Resized(NamedTuple):
    """The terminal has a new size, in columns and lines."""

    width: int
    height: int
