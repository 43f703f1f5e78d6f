"""Types of core WebAssembly, read from a binary and written as people write them.

Wasmtime aborts the process when it is asked for a function type with vectors or typed references.
So types are read here, from the type section. The format is that of the core specification 3.0 and
of the proposals for threads, custom page sizes and stack switching.
"""

import sys
from array import array
from typing import NamedTuple

from atectl.capsule.binary import MalformedBinary, Reader, UnknownInitialiser

MAX_TYPE_CHARACTERS = 500
"""The maximum length of a type as text; a longer one is cut."""

PAGE_BYTES = 65_536
"""The page size of a memory, unless its module declares another."""

_NUMBERS = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128"}
_PACKED = {0x78: "i8", 0x77: "i16"}
_HEAP = {
    0x75: "nocont",
    0x74: "noexn",
    0x73: "nofunc",
    0x72: "noextern",
    0x71: "none",
    0x70: "func",
    0x6F: "extern",
    0x6E: "any",
    0x6D: "eq",
    0x6C: "i31",
    0x6B: "struct",
    0x6A: "array",
    0x69: "exn",
    0x68: "cont",
}
_NULL_NAMES = {0x75: "nullcontref", 0x74: "nullexnref", 0x73: "nullfuncref", 0x72: "nullexternref"}
_NULL_NAMES[0x71] = "nullref"
_REF, _REF_NULL, _SHARED = 0x64, 0x63, 0x65
_FUNC, _STRUCT, _ARRAY, _CONT = 0x60, 0x5F, 0x5E, 0x5D
_SUB, _SUB_FINAL, _REC = 0x50, 0x4F, 0x4E

_HAS_MAXIMUM, _IS_SHARED, _IS_64, _HAS_PAGE_SIZE = 1, 2, 4, 8
_MAX_PAGE_SIZE_LOG = 16

_END, _GLOBAL_GET, _REF_NULL_OF, _REF_FUNC = 0x0B, 0x23, 0xD0, 0xD2
_I32_CONST, _I64_CONST, _GC_PREFIX, _SIMD_PREFIX, _V128_CONST = 0x41, 0x42, 0xFB, 0xFD, 12
_IMMEDIATE_BYTES = {0x43: 4, 0x44: 8}
_ARITHMETIC = {0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E}
_GC_INDICES = {0: 1, 1: 1, 6: 1, 7: 1, 8: 2, 26: 0, 27: 0, 28: 0}
"""Instructions that make structures, arrays and small integers, with how many indices follow."""

_FEATURE_OF_HEAP = {
    **dict.fromkeys(("any", "eq", "i31", "struct", "array", "none", "nofunc", "noextern"), "gc"),
    **dict.fromkeys(("exn", "noexn"), "exceptions"),
    **dict.fromkeys(("cont", "nocont"), "stack-switching"),
    "extern": "reference-types",
}


class Limits(NamedTuple):
    """The initial and the maximum size of a memory or table, in pages or elements."""

    minimum: int
    maximum: int | None
    is_shared: bool
    is_64: bool
    page_bytes: int


class CoreTypes:
    """Types as they are read, and the proposals that they use.

    The type section is read once; the text of a type is made when it is asked for.
    """

    def __init__(self) -> None:
        self.features: set[str] = set()
        self._places = array("Q")
        self._texts: dict[int, str] = {}
        self._reader: Reader | None = None

    def read_section(self, reader: Reader) -> None:
        """Read a type section. From then on `text` knows its types."""
        self._reader = reader
        for _ in reader.entries():
            if reader.peek() == _REC:
                reader.byte()
                self.features.add("gc")
                for _ in reader.entries():
                    self._pass(reader)
            else:
                self._pass(reader)

    def text(self, index: int) -> str:
        """Type `index` as text, such as `(i32, i64) -> i32` or `struct (i8, mut i32)`."""
        if self._reader is None or index >= len(self._places):
            return f"type {index}"
        if index not in self._texts:
            self._texts[index] = _cut(self._sub_type(self._reader.at(self._places[index])))
        return self._texts[index]

    def value(self, reader: Reader) -> str:
        """Read the next value type."""
        byte = reader.byte()
        plain = _NUMBERS.get(byte)
        if plain is None:
            return self._reference(reader, byte)
        if byte == 0x7B:
            self.features.add("simd")
        return plain

    def limits(self, reader: Reader) -> Limits:
        """Read the limits of a memory or a table."""
        flags = reader.byte()
        if flags > _HAS_MAXIMUM | _IS_SHARED | _IS_64 | _HAS_PAGE_SIZE:
            raise MalformedBinary(f"unknown limits at offset {reader.position:#x}")
        read = reader.long_number if flags & _IS_64 else reader.number
        minimum = read()
        maximum = read() if flags & _HAS_MAXIMUM else None
        page_bytes = PAGE_BYTES
        if flags & _HAS_PAGE_SIZE:
            self.features.add("custom-page-sizes")
            log = reader.number()
            if log > _MAX_PAGE_SIZE_LOG:
                raise MalformedBinary(f"a page is too large at offset {reader.position:#x}")
            page_bytes = 1 << log
        if flags & _IS_SHARED:
            self.features.add("threads")
        if flags & _IS_64:
            self.features.add("memory64")
        return Limits(minimum, maximum, bool(flags & _IS_SHARED), bool(flags & _IS_64), page_bytes)

    def global_(self, reader: Reader) -> str:
        """Read the type of a global, such as `mut i32`."""
        kind = self.value(reader)
        # A module may have a million globals, and all but a few are of the same types.
        return sys.intern(f"mut {kind}") if reader.byte() & 1 else kind

    def pass_type(self, reader: Reader) -> None:
        """Skip a type or a recursive group of types; `text` will not know them."""
        if reader.peek() != _REC:
            self._sub_type(reader)
            return
        reader.byte()
        for _ in reader.entries():
            self._sub_type(reader)

    def pass_import_type(self, reader: Reader) -> None:
        """Skip the required type of a module's import or export."""
        match reader.byte():
            case 0:
                reader.number()
            case 1:
                self.value(reader)
                self.limits(reader)
            case 2:
                self.limits(reader)
            case 3:
                self.global_(reader)
            case 4:
                reader.byte()
                reader.number()
            case other:
                raise MalformedBinary(f"unknown kind {other} at offset {reader.position - 1:#x}")

    def _pass(self, reader: Reader) -> None:
        place = reader.position
        self._sub_type(reader)
        self._places.append(place)

    def _sub_type(self, reader: Reader) -> str:
        byte = reader.byte()
        if byte in (_SUB, _SUB_FINAL):
            self.features.add("gc")
            above = [str(reader.number()) for _ in reader.entries()]
            text = self._composite(reader, reader.byte())
            final = "final " if byte == _SUB_FINAL else ""
            return f"sub {final}{' '.join([*above, text])}"
        return self._composite(reader, byte)

    def _composite(self, reader: Reader, byte: int) -> str:
        if byte != _SHARED:
            return self._unshared(reader, byte)
        self.features.add("shared-everything-threads")
        return f"shared {self._unshared(reader, reader.byte())}"

    def _unshared(self, reader: Reader, byte: int) -> str:
        if byte == _FUNC:
            parameters = [self.value(reader) for _ in reader.entries()]
            results = [self.value(reader) for _ in reader.entries()]
            if len(results) > 1:
                self.features.add("multi-value")
            return function_text(parameters, results)
        if byte == _STRUCT:
            self.features.add("gc")
            return f"struct ({', '.join([self._field(reader) for _ in reader.entries()])})"
        if byte == _ARRAY:
            self.features.add("gc")
            return f"array {self._field(reader)}"
        if byte == _CONT:
            self.features.add("stack-switching")
            return f"cont {self._heap(reader)}"
        raise MalformedBinary(f"unknown type {byte:#x} at offset {reader.position - 1:#x}")

    def _field(self, reader: Reader) -> str:
        packed = _PACKED.get(reader.peek())
        if packed:
            reader.byte()
        kind = packed or self.value(reader)
        return f"mut {kind}" if reader.byte() & 1 else kind

    def _reference(self, reader: Reader, byte: int) -> str:
        if byte in (_REF, _REF_NULL):
            self.features.add("function-references")
            nullable = "null " if byte == _REF_NULL else ""
            return f"(ref {nullable}{self._heap(reader)})"
        if byte == _SHARED:
            self.features.add("shared-everything-threads")
            return f"(ref null shared {self._heap(reader)})"
        heap = _HEAP.get(byte)
        if heap is None:
            raise MalformedBinary(f"unknown type {byte:#x} at offset {reader.position - 1:#x}")
        self._note_heap(heap)
        return _NULL_NAMES.get(byte) or f"{heap}ref"

    def _heap(self, reader: Reader) -> str:
        index = reader.signed_number()
        if index >= 0:
            return str(index)
        heap = _HEAP.get(index & 0x7F)
        if heap is None:
            raise MalformedBinary(f"unknown type at offset {reader.position - 1:#x}")
        self._note_heap(heap)
        return heap

    def _note_heap(self, heap: str) -> None:
        feature = _FEATURE_OF_HEAP.get(heap)
        if feature:
            self.features.add(feature)


def function_text(parameters: list[str], results: list[str]) -> str:
    """A function's type as text: `(i32, i64) -> i32`, `() -> (i32, i32)`, `(f64)`."""
    returned = f"({', '.join(results)})" if len(results) > 1 else "".join(results)
    return f"({', '.join(parameters)})" + (f" -> {returned}" if returned else "")


def pass_initialiser(reader: Reader, types: CoreTypes) -> None:
    """Skip an initialiser: the few instructions that compute the first value of a global or table.

    Raises:
        MalformedBinary: it has an instruction that no initialiser may have.
    """
    instructions = 0
    while (opcode := reader.byte()) != _END:
        reader.count_item()
        instructions += 1
        if opcode in (_I32_CONST, _I64_CONST):
            reader.signed_number(64)
        elif opcode in _IMMEDIATE_BYTES:
            reader.skip(_IMMEDIATE_BYTES[opcode])
        elif opcode in (_GLOBAL_GET, _REF_FUNC):
            reader.number()
        elif opcode == _REF_NULL_OF:
            reader.signed_number()
        elif opcode in (_GC_PREFIX, _SIMD_PREFIX):
            _pass_prefixed(reader, types, opcode)
        elif opcode not in _ARITHMETIC:
            place = reader.position - 1
            raise UnknownInitialiser(f"unknown initialiser {opcode:#x} at offset {place:#x}")
    if instructions > 1:
        types.features.add("extended-const")


def _pass_prefixed(reader: Reader, types: CoreTypes, prefix: int) -> None:
    place, opcode = reader.position - 1, reader.number()
    if prefix == _SIMD_PREFIX and opcode == _V128_CONST:
        types.features.add("simd")
        reader.skip(16)
    elif prefix == _GC_PREFIX and opcode in _GC_INDICES:
        types.features.add("gc")
        for _ in range(_GC_INDICES[opcode]):
            reader.number()
    else:
        raise UnknownInitialiser(f"unknown initialiser {prefix:#x} {opcode} at offset {place:#x}")


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TYPE_CHARACTERS else f"{text[: MAX_TYPE_CHARACTERS - 1]}…"
