"""What one instantiation of a capsule creates, as it is kept with the compiled capsule."""

from typing import NamedTuple


class Creation(NamedTuple):
    """What one instantiation of a capsule creates at most."""

    instances: int = 1
    """Instances of core modules and of components together."""
    tables: int = 0
    """The tables of all instances together."""
    memories: int = 0
    """The memories of all instances together."""
    state_bytes: int = 0
    """What the engine keeps for the instances beside memories and tables: for globals, functions
    that can be referred to, element segments, and the instances themselves."""

    def as_text(self) -> str:
        """One word, for a record."""
        return ",".join(map(str, self))

    @classmethod
    def read(cls, text: str) -> "Creation":
        """What `as_text` was given."""
        return cls(*map(int, text.split(",")))


ONE_INSTANCE = Creation()
"""What a module creates that has nothing in it."""
