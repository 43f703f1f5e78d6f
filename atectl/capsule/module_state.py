"""How much state the engine keeps for each instance of a core module, computed from its sections.

The engine keeps this beside memories and tables, and no limit of its own covers it. The sizes were
measured with wasmtime 50 and are rounded up; `tests/core/capsule/test_module_state.py` compares
them with what the engine really takes.
"""

from typing import NamedTuple

from atectl.capsule.binary import Reader, UnknownInitialiser

_INSTANCE_BYTES = 512
_IMPORT_BYTES = 200
_FUNCTION_BYTES = 32
"""For a function that can be referred to: exported, in an element segment, or in a global."""
_GLOBAL_BYTES = 16
_TAG_BYTES = 8
_TABLE_BYTES = 128
_MEMORY_BYTES = 1024
_ELEMENT_BYTES = 16
"""For each entry of a passive element segment."""
_ELEMENT_SEGMENT_BYTES = 112
_DATA_SEGMENT_BYTES = 16

_IMPORTS, _FUNCTIONS, _TABLES, _MEMORIES, _GLOBALS, _EXPORTS = range(2, 8)
_ELEMENTS, _DATA, _TAGS = 9, 11, 13

_PASSIVE, _EXPLICIT, _EXPRESSIONS = 1, 2, 4
_TYPED_REFERENCES = (0x63, 0x64)

_CONTINUATIONS = bytes(range(0x80, 0x100))
"""The bytes of a number that are not its last."""


class ModuleState(NamedTuple):
    """What each instance of a module has of its own."""

    tables: int = 0
    memories: int = 0
    state_bytes: int = _INSTANCE_BYTES


def module_state(module: Reader) -> ModuleState:
    """What each instance of a module has. `module` is at its first section.

    Raises:
        MalformedBinary: it does not follow the format, or has too many entries.
    """
    counts: dict[int, int] = {}
    passive = _Passive()
    while not module.is_at_end:
        number, contents = module.section()
        if number in _COUNTED:
            counts[number] = contents.at(contents.position).number()
            if number == _ELEMENTS:
                passive.read(contents)
    tables, memories = counts.get(_TABLES, 0), counts.get(_MEMORIES, 0)
    functions = counts.get(_FUNCTIONS, 0) + counts.get(_IMPORTS, 0)
    named = counts.get(_EXPORTS, 0) + counts.get(_GLOBALS, 0) + tables + passive.all_entries
    state_bytes = (
        _INSTANCE_BYTES
        + _IMPORT_BYTES * counts.get(_IMPORTS, 0)
        + _FUNCTION_BYTES * min(functions, named)
        + _GLOBAL_BYTES * counts.get(_GLOBALS, 0)
        + _TAG_BYTES * counts.get(_TAGS, 0)
        + _TABLE_BYTES * tables
        + _MEMORY_BYTES * memories
        + _ELEMENT_BYTES * passive.entries
        + _ELEMENT_SEGMENT_BYTES * passive.segments
        + _DATA_SEGMENT_BYTES * counts.get(_DATA, 0)
    )
    return ModuleState(tables, memories, state_bytes)


_COUNTED = {
    _IMPORTS, _FUNCTIONS, _TABLES, _MEMORIES, _GLOBALS, _EXPORTS, _ELEMENTS, _DATA, _TAGS,
}  # fmt: skip


class _Passive:
    """The element segments of a module: what is kept of the passive ones, and all entries."""

    def __init__(self) -> None:
        self.segments = 0
        self.entries = 0
        self.all_entries = 0

    def read(self, contents: Reader) -> None:
        """Read the section of element segments."""
        try:
            self._read_segments(contents)
        except UnknownInitialiser:
            # The rest can have no more entries than bytes.
            left = contents.end - contents.position
            self.segments += 1
            self.entries += left
            self.all_entries += left

    def _read_segments(self, contents: Reader) -> None:
        # Small modules have none, and should not pay for this import.
        from atectl.capsule.core_types import CoreTypes, pass_initialiser

        types = CoreTypes()
        for _ in contents.entries():
            flags = contents.number()
            is_active = not flags & _PASSIVE
            if is_active:
                if flags & _EXPLICIT:
                    contents.number()
                pass_initialiser(contents, types)
            if flags & (_PASSIVE | _EXPLICIT):
                _pass_kind(contents, is_type=bool(flags & _EXPRESSIONS))
            count = contents.number()
            if flags & _EXPRESSIONS:
                for _ in range(count):
                    pass_initialiser(contents, types)
            else:
                _pass_numbers(contents, count)
            self.all_entries += count
            if flags & (_PASSIVE | _EXPLICIT) == _PASSIVE:
                self.segments += 1
                self.entries += count


def _pass_kind(contents: Reader, *, is_type: bool) -> None:
    """Skip what says what kind of references a segment has."""
    kind = contents.byte()
    if is_type and kind in _TYPED_REFERENCES:
        contents.signed_number()


def _pass_numbers(contents: Reader, count: int) -> None:
    """Skip so many numbers. There may be millions, so that they are not read one by one."""
    while count > 0:
        start = contents.position
        contents.skip(count)  # each takes a byte at least
        count -= len(contents.data[start : contents.position].translate(None, _CONTINUATIONS))
