"""Reading the binary format of WebAssembly: a cursor that never leaves its bytes.

The format of numbers, names and sections is that of the core specification 3.0, which the
component model shares. A reader copies nothing but the names it is asked for.
"""

from atectl.engine.kind import Kind

MAGIC = b"\0asm"
"""What every binary begins with."""

HEADER_BYTES = 8
"""`MAGIC` and the version, which tells modules and components apart."""

_KINDS: dict[bytes, Kind] = {b"\x01\0\0\0": "module", b"\x0d\0\x01\0": "component"}

MAX_ITEMS = 1_000_000
"""How many sections and entries are walked; the engine accepts far fewer."""


class MalformedBinary(Exception):
    """The bytes do not follow the binary format."""


class EndOfBinary(MalformedBinary):
    """Something announced lies beyond the end."""


def kind_of(binary: bytes) -> Kind:
    """What kind of binary has this header.

    Raises:
        MalformedBinary: it does not begin with `MAGIC`, or is of no known version.
    """
    kind = _KINDS.get(binary[len(MAGIC) : HEADER_BYTES]) if binary.startswith(MAGIC) else None
    if kind is None:
        raise MalformedBinary(f"unknown binary version {binary[4:8].hex(' ')}")
    return kind


class Reader:
    """A cursor over part of a binary. Parts share the count of items walked.

    Args:
        data: the whole binary.
        start, end: the offsets in it between which this reader stays.
        items: the shared count, a list of one number; None for one of its own.
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

    def number(self) -> int:
        """An unsigned 32-bit LEB128."""
        value = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        else:
            raise MalformedBinary(f"a number is too long at offset {self.position:#x}")
        if value >= 1 << 32:
            raise MalformedBinary(f"a number is too large at offset {self.position:#x}")
        return value

    def skip(self, count: int) -> None:
        """Pass over `count` bytes."""
        if count > self.end - self.position:
            raise EndOfBinary("it ends too early")
        self.position += count

    def count_item(self) -> None:
        """Count one thing walked.

        Raises:
            MalformedBinary: it is one more than `MAX_ITEMS`.
        """
        self._items[0] += 1
        if self._items[0] > MAX_ITEMS:
            raise MalformedBinary(f"it has more than {MAX_ITEMS} sections and instances")

    def section(self) -> tuple[int, "Reader"]:
        """The next section: its number and a reader of its contents."""
        self.count_item()
        number = self.byte()
        size = self.number()
        start = self.position
        self.skip(size)
        return number, Reader(self.data, start, self.position, self._items)

    @property
    def is_at_end(self) -> bool:
        return self.position >= self.end
