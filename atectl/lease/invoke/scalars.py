"""Numbers, booleans and text of WebAssembly's types: reading them from words, and showing them."""

import math
import re
import struct

RANGES = {
    "s8": (-(2**7), 2**7 - 1),
    "s16": (-(2**15), 2**15 - 1),
    "s32": (-(2**31), 2**31 - 1),
    "s64": (-(2**63), 2**63 - 1),
    "u8": (0, 2**8 - 1),
    "u16": (0, 2**16 - 1),
    "u32": (0, 2**32 - 1),
    "u64": (0, 2**64 - 1),
    # A core integer is neither signed nor unsigned: both forms are accepted as the same bits.
    "i32": (-(2**31), 2**32 - 1),
    "i64": (-(2**63), 2**64 - 1),
}
"""The integer types, with their lowest and highest values."""

FLOATS = ("f32", "f64")

_INTEGER = re.compile(r"([+-]?)(?:0x([0-9a-f]{1,64})|([0-9]{1,64}))", re.ASCII | re.IGNORECASE)
_FLOAT = re.compile(
    r"[+-]?(?:nan|inf|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)", re.ASCII | re.IGNORECASE
)
_F32_DIGITS = 9
"""How many significant digits tell any two f32 apart."""

_SHOWN_CHARS = 60


class Unfit(Exception):
    """A word, or a value within it, does not have the required type.

    Args:
        reason: what is wrong with it.
        path: where in the word the value is, such as `.items[2]`.
    """

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"at {path}: {reason}" if path else reason)


def quoted(value: object) -> str:
    """`value` for an error message: its Python literal, cut if it is long."""
    return shortened(repr(value))


def shortened(text: str) -> str:
    """`text`, cut if it is too long for an error message."""
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def read_integer(kind: str, word: str) -> int:
    """Read an integer of type `kind`, in decimal or as `0x…`; raises `Unfit`."""
    match = _INTEGER.fullmatch(word)
    if match is None:
        raise Unfit(f"{quoted(word)} is not a whole number")
    sign, hexadecimal, decimal = match.groups()
    number = int(hexadecimal, 16) if hexadecimal else int(decimal)
    return in_range(kind, -number if sign == "-" else number)


def in_range(kind: str, number: int, path: str = "") -> int:
    """`number` if it is in the range of the integer type `kind`; raises `Unfit`."""
    lowest, highest = RANGES[kind]
    if not lowest <= number <= highest:
        raise Unfit(f"{quoted(number)} is not in {lowest} to {highest}", path)
    return number


def read_float(kind: str, word: str) -> float:
    """Read a float of type `kind`, also `nan` and `inf`; raises `Unfit`."""
    if not _FLOAT.fullmatch(word):
        raise Unfit(f"{quoted(word)} is not a number")
    if word.lower().endswith("inf"):
        return float(word)
    return fitting_float(kind, word)


def fitting_float(kind: str, number: int | float | str, path: str = "") -> float:
    """`number` as a float of type `kind`; raises `Unfit` if it is too large."""
    value = _rounded(kind, number)
    if math.isinf(value):
        raise Unfit(f"{quoted(number)} is too large for {kind}", path)
    return value


def _rounded(kind: str, number: int | float | str) -> float:
    try:
        value = float(number)
        return value if kind == "f64" else float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.inf


def read_bool(word: str) -> bool:
    """Read `true` or `false`; raises `Unfit`."""
    if word not in ("true", "false"):
        raise Unfit(f"{quoted(word)} is neither true nor false")
    return word == "true"


def checked_text(text: str, path: str = "") -> str:
    """`text` if it is Unicode; raises `Unfit` for a word that was not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unfit(f"{quoted(text)} is not UTF-8 text", path) from None
    return text


def checked_char(text: str, path: str = "") -> str:
    """`text` if it is one Unicode scalar value; raises `Unfit`."""
    if len(text) != 1:
        raise Unfit(f"{quoted(text)} is not one character", path)
    return checked_text(text, path)


def show_float(kind: str, number: float) -> str:
    """The shortest text that `read_float` reads as the same number."""
    if kind == "f64" or not math.isfinite(number):
        return repr(number)
    for digits in range(1, _F32_DIGITS):
        shorter = float(f"{number:.{digits}g}")
        if _rounded(kind, shorter) == number:
            return repr(shorter)
    return repr(float(f"{number:.{_F32_DIGITS}g}"))


def show_bool(value: bool) -> str:
    return "true" if value else "false"
