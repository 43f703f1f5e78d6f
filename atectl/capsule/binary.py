"""Reading the binary format of WebAssembly: a cursor that never reads past its end.

The format of numbers, names and sections is that of the core specification 3.0, which the
component model shares. A reader copies nothing but the names it is asked for.
"""

from collections.abc import Iterator

from atectl.engine.kind import Kind

MAGIC = b"\0asm"
"""What every binary begins with."""

MAX_NAME_BYTES = 1_000
"""How much of a name is kept."""

HEADER_BYTES = 8
"""`MAGIC` and the version, which tells modules and components apart."""

_KINDS: dict[bytes, Kind] = {b"\x01\0\0\0": "module", b"\x0d\0\x01\0": "component"}

MAX_ITEMS = 1_000_000
"""The maximum number of sections and entries that are read; the engine accepts far fewer."""


class MalformedBinary(Exception):
    """The bytes do not follow the binary format."""


class TooManyItems(MalformedBinary):
    """It has more entries than are read."""


class UnknownInitialiser(MalformedBinary):
    """An initialiser has an instruction that is not known here; the engine may know it."""


class EndOfBinary(MalformedBinary):
    """A size or count in it leads past its end."""


def kind_of(binary: bytes) -> Kind:
    """The kind of a binary, read from its header.

    Raises:
        MalformedBinary: it does not begin with `MAGIC`, or its version is unknown.
    """
    kind = _KINDS.get(binary[len(MAGIC) : HEADER_BYTES]) if binary.startswith(MAGIC) else None
    if kind is None:
        raise MalformedBinary(f"unknown binary version {binary[4:8].hex(' ')}")
    return kind


class Reader:
    """A cursor over part of a binary. All readers of one binary share a count of items.

    Args:
        data: the whole binary.
        start, end: the offsets in it between which this reader stays.
        items: the shared count, a list of one number; None begins a new count.
    """

    __slots__ = ("_items", "data", "end", "position")

    def __init__(self, data: bytes, start: int, end: int, items: list[int] | None = None) -> None:
        self.data, self.position, self.end = data, start, end
        self._items = [0] if items is None else items

    def byte(self) -> int:
        if self.position >= self.end:
            raise EndOfBinary("it ends too early")
        value = self.data[self.position]
        self.position += 1
        return value

    def peek(self) -> int:
        """The next byte, without moving on; -1 at the end."""
        return self.data[self.position] if self.position < self.end else -1

    def header(self) -> bytes:
        """The next `HEADER_BYTES` bytes, without moving on."""
        return self.at(self.position).take(HEADER_BYTES).rest()

    def rest(self) -> bytes:
        """A copy of the remaining bytes."""
        return self.data[self.position : self.end]

    def at(self, position: int) -> "Reader":
        """A reader of the same part at another position."""
        return Reader(self.data, position, self.end, self._items)

    def number(self) -> int:
        """An unsigned 32-bit LEB128."""
        return self._unsigned(32)

    def long_number(self) -> int:
        """An unsigned 64-bit LEB128."""
        return self._unsigned(64)

    def signed_number(self, bits: int = 33) -> int:
        """A signed LEB128 of up to `bits` bits.

        A type takes 33: an index, or a negative number for a built-in type.
        """
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value - (1 << shift) if byte & 0x40 else value
            if shift >= bits:
                raise MalformedBinary(f"a number is too long at offset {self.position:#x}")

    def _unsigned(self, bits: int) -> int:
        value = 0
        for shift in range(0, bits, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        else:
            raise MalformedBinary(f"a number is too long at offset {self.position:#x}")
        if value >= 1 << bits:
            raise MalformedBinary(f"a number is too large at offset {self.position:#x}")
        return value

    def name(self) -> str:
        """A name: its length, then UTF-8. Invalid bytes are escaped with `surrogateescape`.

        Only the first `MAX_NAME_BYTES` bytes are kept.
        """
        size = self.number()
        start = self.position
        self.skip(size)
        kept = bytes(self.data[start : start + min(size, MAX_NAME_BYTES)])
        return kept.decode("utf-8", "surrogateescape")

    def entries(self) -> Iterator[int]:
        """Read the length of a list, and iterate over its entries. Each counts as an item."""
        for place in range(self.number()):
            self.count_item()
            yield place

    def skip(self, count: int) -> None:
        """Skip `count` bytes."""
        if count > self.end - self.position:
            raise EndOfBinary("it ends too early")
        self.position += count

    def count_item(self) -> None:
        """Count one section or entry.

        Raises:
            TooManyItems: there are more than `MAX_ITEMS`.
        """
        self._items[0] += 1
        if self._items[0] > MAX_ITEMS:
            raise TooManyItems(f"it has more than {MAX_ITEMS} sections and entries")

    def take(self, size: int) -> "Reader":
        """A reader of the next `size` bytes, which this reader skips."""
        start = self.position
        self.skip(size)
        return Reader(self.data, start, self.position, self._items)

    def section(self) -> tuple[int, "Reader"]:
        """The next section: its number and a reader of its contents."""
        self.count_item()
        number = self.byte()
        return number, self.take(self.number())

    @property
    def is_at_end(self) -> bool:
        return self.position >= self.end
