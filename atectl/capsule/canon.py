"""Entries of a component's canon section: functions that the canonical ABI makes from others.

Only lifted functions become functions of the component. The rest are for its core modules, and are
skipped. Source: the binary format of the component model, with its async proposal.
"""

from atectl.capsule.binary import MalformedBinary, Reader

_LIFT, _LOWER = 0x00, 0x01
_RETURN = 0x09

_OPERANDS: dict[int, str] = {
    **dict.fromkeys((0x05, 0x08, 0x0D, 0x1E, 0x1F, 0x22, 0x23), ""),
    **dict.fromkeys((0x02, 0x03, 0x04, 0x07, 0x0E, 0x13, 0x14, 0x15, 0x1A, 0x1B), "i"),
    **dict.fromkeys((0x06, 0x0C), "b"),
    **dict.fromkeys((0x0A, 0x0B, 0x20, 0x21), "bi"),
    **dict.fromkeys((0x0F, 0x10, 0x16, 0x17), "io"),
    **dict.fromkeys((0x11, 0x12, 0x18, 0x19), "ib"),
    **dict.fromkeys((0x1C, 0x1D), "o"),
}
"""The operands that follow each opcode: `i` an index, `b` a byte, `o` options."""

_OPTIONS_ALONE = {0x00, 0x01, 0x02, 0x06}
_OPTIONS_WITH_INDEX = {0x03, 0x04, 0x05, 0x07}


def read_canon(reader: Reader) -> int | None:
    """Read the next entry. Returns the type index of a lifted function, None for other entries.

    Raises:
        MalformedBinary: the entry is of an unknown kind.
    """
    place, opcode = reader.position, reader.byte()
    if opcode in (_LIFT, _LOWER):
        reader.byte()
        reader.number()
        _pass_options(reader)
        return reader.number() if opcode == _LIFT else None
    if opcode == _RETURN:
        if reader.byte() == 0:
            reader.signed_number()
        else:
            reader.byte()
        _pass_options(reader)
        return None
    if opcode not in _OPERANDS:
        raise MalformedBinary(f"unknown canonical function {opcode:#x} at offset {place:#x}")
    for operand in _OPERANDS[opcode]:
        if operand == "i":
            reader.number()
        elif operand == "b":
            reader.byte()
        else:
            _pass_options(reader)
    return None


def _pass_options(reader: Reader) -> None:
    for _ in reader.entries():
        option = reader.byte()
        if option in _OPTIONS_WITH_INDEX:
            reader.number()
        elif option not in _OPTIONS_ALONE:
            place = reader.position - 1
            raise MalformedBinary(f"unknown canonical option {option:#x} at offset {place:#x}")
