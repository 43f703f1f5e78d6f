"""Files that somebody else wrote: their text, and the tables of TOML.

Both are bounded before they are parsed: the parser of TOML takes a hundred times what a text
takes, and gigabytes for one key with thousands of parts.
"""

import re
from pathlib import Path
from typing import Any

from atectl.records.reading import Fault
from atectl.units import format_size

MAX_FILE_BYTES = 4 << 20
"""The largest file of settings, budgets and jobs that is read."""
MAX_KEY_PARTS = 8
"""The most parts of a key, as in `a.b.c`; no key that means anything has more than three."""

MAX_DOTS = 50_000
"""The most dots in all keys and numbers: the parser makes several tables of each part of a key."""

_NOT_THERE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)

_QUOTED = (
    r'(?s)"""(?:[^\\]|\\.)*?(?:""""{0,2}|\\?\Z)|\'\'\'.*?(?:\'\'\'\'{0,2}|\Z)'
    r'|"(?:[^"\\\n]|\\.)*+"?|\'[^\'\n]*+\'?|#[^\n]*'
)
"""Text in quotes and comments, which hold whatever they like. The last of a text of several lines
may be two quotes. What nothing closes is taken to its end, where the parser stops: else it would be
gone through again from each quote in it."""
_LONG_KEY = rf"(?:\.[ \t]*[A-Za-z0-9_-]+[ \t]*){{{MAX_KEY_PARTS},}}"
_LONG_NUMBER = "Exceeds the limit"


def text_of(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> str:
    """The text of a file; a mark at its beginning, which some editors write, is no part of it.

    Raises:
        Fault: it cannot be read, is larger than `max_bytes`, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise Fault(error.strerror or str(error), remedy=_remedy_of(error)) from None
    if len(content) > max_bytes:
        raise Fault(
            f"it is larger than {format_size(max_bytes)}", remedy="split it into smaller files"
        )
    try:
        return content.decode("utf-8-sig")
    except ValueError:
        raise Fault("it is not UTF-8") from None


def _remedy_of(error: OSError) -> str | None:
    """What to do about a file that is not there, or is none."""
    if isinstance(error, PermissionError):
        return "name a file that you may read"
    return "check the path" if isinstance(error, _NOT_THERE) else None


def toml_of(text: str) -> dict[str, Any]:
    """The tables of a text, whose size is bounded already.

    Raises:
        Fault: it is not TOML, is nested too deeply, or has a key of more parts than any key has.
    """
    import tomllib

    bare = re.sub(_QUOTED, "q", text)
    if re.search(_LONG_KEY, bare):
        raise Fault(f"it has a key of more than {MAX_KEY_PARTS} parts")
    if bare.count(".") > MAX_DOTS:
        raise Fault(f"its keys and numbers have more than {MAX_DOTS} dots together")
    try:
        return tomllib.loads(text)
    except ValueError as error:
        if str(error).startswith(_LONG_NUMBER):
            raise Fault("it has a number of thousands of digits") from None
        raise Fault(str(error)) from None
    except RecursionError:
        raise Fault("it is nested too deeply") from None
