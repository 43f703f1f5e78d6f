"""Files that somebody else wrote: their text, and the tables of TOML."""

from pathlib import Path
from typing import Any

from atectl.records.reading import Fault


def text_of(path: Path) -> str:
    """The text of a file; a mark at its beginning, which some editors write, is no part of it.

    Raises:
        Fault: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Fault(error.strerror or str(error)) from None
    except ValueError as error:
        raise Fault(str(error)) from None


def toml_of(text: str) -> dict[str, Any]:
    """The tables of a text.

    Raises:
        Fault: it is no TOML.
    """
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise Fault(str(error)) from None
