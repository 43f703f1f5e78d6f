"""What one instantiation of a capsule creates, as it is kept with the compiled capsule."""

from typing import NamedTuple

from atectl.accounting import charged_code_bytes


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
    that can be referred to, element segments, and the instances themselves. Also what the code
    takes wherever it is mapped, for types and names of exports, if that is much."""

    def with_code(self, code_bytes: int) -> "Creation":
        """The same of a capsule whose mapped code takes so much memory beside its file."""
        return self._replace(state_bytes=self.state_bytes + charged_code_bytes(code_bytes))

    def as_text(self) -> str:
        """One word, for a record."""
        return ",".join(map(str, self))

    @classmethod
    def read(cls, text: str) -> "Creation":
        """What `as_text` was given."""
        return cls(*map(int, text.split(",")))


ONE_INSTANCE = Creation()
"""What a module creates that has nothing in it."""
