"""Sizes, durations, moments and counts: the one parser and the one formatter of each."""

import re
from typing import Annotated

from atectl.errors import BadDuration, BadSize, quoted

MAX_SIZE_BYTES = 2**63 - 1
"""The largest size taken: what a signed 64-bit column of the ledger can hold."""

MIN_DURATION_S = 0.001
"""The shortest duration taken."""

MAX_DURATION_S = 10 * 365 * 86_400
"""The longest duration taken, ten years: beyond it a clock overflows before a user is served."""

MOMENT = "a moment"
Moment = Annotated[float, MOMENT]
"""A time, in seconds since 1970 UTC. JSON has it in RFC 3339."""

STORED = "out of a file"
Stored = Annotated[float, STORED]
"""A number out of a file that may be damaged: not-a-number there, and null in JSON."""
StoredMoment = Annotated[float, MOMENT, STORED]

END_OF_TIME_S = 253_402_300_800
"""The end of the year 9999: times from then on cannot be shown."""

_BINARY = {letter: 1024**power for power, letter in enumerate("KMGTPE", start=1)}
_DECIMAL = {letter: 1000**power for power, letter in enumerate("KMGTPE", start=1)}
# More digits than any size has would be work without end, and Python refuses it with an error.
_SIZE = re.compile(
    r"([0-9]{1,40})(?:\.([0-9]{1,40}))?\s*(?:([KMGTPEkmgtpe])([Ii]?[Bb]?)|[Bb])?", re.ASCII
)
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)", re.ASCII)
_PLAIN_SECONDS = r"[0-9]+(?:\.[0-9]+)?"
_MOST_CHARACTERS = 100
"""Of a duration. Digits without a unit are gone through anew from each of them on."""

SIZE_PATTERN = rf"^\s*{_SIZE.pattern}\s*$"
"""What a size looks like, in the syntax that JSON Schema shares with Python."""

DURATION_PATTERN = rf"^\s*(?:(?:{_DURATION_PART.pattern})+|{_PLAIN_SECONDS})\s*$"
"""What a duration looks like, likewise."""

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def parse_size(text: str) -> int:
    """Bytes meant by `text`: `64MiB` and `64M` are binary, `64MB` is decimal, `65536` is bytes.

    Suffixes are case-insensitive. A fraction is taken if it comes to whole bytes (`1.5KiB`).

    Raises:
        BadSize: not a size, zero, a fraction of a byte, or above `MAX_SIZE_BYTES` (exit 2).
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise BadSize(f"{quoted(text)} is not a size")
    whole, fraction, letter, tail = match.groups()
    unit = 1
    if letter:
        unit = (_DECIMAL if (tail or "").upper() == "B" else _BINARY)[letter.upper()]
    fraction = fraction or ""
    size, remainder = divmod(int(whole + fraction) * unit, int(f"1{'0' * len(fraction)}"))
    if remainder:
        raise BadSize(f"{quoted(text)} is not a whole number of bytes")
    if size == 0:
        raise BadSize(f"{quoted(text)} is zero; a size is at least one byte")
    if size > MAX_SIZE_BYTES:
        raise BadSize(f"{quoted(text)} is too large; the most is {MAX_SIZE_BYTES} bytes")
    return size


def size_or_none(text: str) -> int | None:
    """The bytes of a size, or None for `none`.

    Raises:
        BadSize: as `parse_size` (exit 2).
    """
    return None if text == "none" else parse_size(text)


def format_size(size: int) -> str:
    """`size` bytes, exactly, in the largest binary unit that divides it; `parse_size` reads it."""
    for letter in "EPTGMK":
        unit = _BINARY[letter]
        if size and size % unit == 0:
            return f"{size // unit}{letter}iB"
    return str(size)


def show_size(size: float) -> str:
    """`size` bytes for a reader: three significant digits (`1.21 GiB`), exact below 1 KiB."""
    if size < 1024:
        return f"{int(size)} B"
    for letter in "KMGTPE":
        size /= 1024
        if size < 999.5 or letter == "E":
            break
    digits = 2 if size < 9.995 else 1 if size < 99.95 else 0
    shown = f"{size:.{digits}f}"
    return f"{shown.rstrip('0').rstrip('.') if '.' in shown else shown} {letter}iB"


def show_percent(used: int, limit: int) -> str:
    """`used` as a percentage of `limit`, rounded down; `<1%` above 0, `-` without a limit."""
    if limit <= 0:
        return "-"
    whole = used * 100 // limit
    return "<1%" if used > 0 and whole == 0 else f"{whole}%"


def parse_duration(text: str) -> float:
    """Seconds meant by `text`: `250ms`, `90s`, `5m`, `1h30m`, `2d`, or plain seconds.

    Raises:
        BadDuration: not a duration, or not from `MIN_DURATION_S` to `MAX_DURATION_S` (exit 2).
    """
    stripped = text.strip()
    too_long = f"{quoted(text)} is too long; the most is {MAX_DURATION_S // 86_400} days"
    if len(stripped) > _MOST_CHARACTERS:
        raise BadDuration(too_long)
    parts = _DURATION_PART.findall(stripped)
    if parts and "".join(number + unit for number, unit in parts) == stripped:
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    elif re.fullmatch(_PLAIN_SECONDS, stripped, re.ASCII):
        seconds = float(stripped)
    else:
        raise BadDuration(f"{quoted(text)} is not a duration")
    if seconds < MIN_DURATION_S:
        fault = "too short" if seconds else "zero"
        raise BadDuration(f"{quoted(text)} is {fault}; a duration is at least one millisecond")
    if seconds > MAX_DURATION_S:
        raise BadDuration(too_long)
    return seconds


def duration_text(seconds: float) -> str:
    """`seconds`, exactly to the millisecond, as short as can be: `5m`, `90s`, `250ms`.

    `parse_duration` reads it.
    """
    milliseconds = round(seconds * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


_LONGEST_S = 1e15
"""Longer than anything lasts."""


def format_duration(seconds: float) -> str:
    """`seconds` for a reader: `0.24s`, `12.3s`, `4m05s`, `2h07m`, `3d04h`; else `?`."""
    if not abs(seconds) < _LONGEST_S:
        # A damaged row of a ledger may hold anything: it must not hide the others.
        return "?"
    if round(seconds, 2) < 10:
        return f"{seconds:.2f}s"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02}h"


def format_age(seconds: float) -> str:
    """How long ago something was, for a reader: as a duration, but below a minute in whole seconds;
    less than nothing, by the clock of another machine, is nothing."""
    seconds = max(seconds, 0.0)
    return f"{int(seconds)}s" if seconds < 60 else format_duration(seconds)


def counted(count: int, noun: str) -> str:
    """A number of things for a reader: `1 lease`, `2 leases`, `0 leases`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def rfc3339(seconds: float | None) -> str | None:
    """A moment as RFC 3339 UTC, to the millisecond; None for one that is not known."""
    if seconds is None or seconds != seconds:
        return None
    # Few results have times, and every batch would pay for its import.
    from datetime import UTC, datetime

    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
