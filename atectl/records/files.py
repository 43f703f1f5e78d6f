"""Files that somebody else wrote: their text, and the tables of TOML."""

from collections.abc import Mapping
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


def table_in(tables: Mapping[str, Any], name: str, *, within: str = "") -> dict[str, Any]:
    """The table `name`, empty if there is none; `within` is the table that these are in.

    Raises:
        Fault: what stands there is no table.
    """
    table = tables.get(name, {})
    if not isinstance(table, dict):
        whole = f"{within}.{name}" if within else name
        raise Fault(f"{whole} is to be a table: [{whole}]")
    return table


def tables_in(tables: Mapping[str, Any], name: str) -> tuple[dict[str, Any], ...]:
    """The list of tables `name`, empty if there is none.

    Raises:
        Fault: what stands there is no list of tables.
    """
    found = tables.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Fault(f"{name} is to be a list of tables: [[{name}]]")
    return tuple(found)
