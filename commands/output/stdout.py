"""How a result reaches stdout: as JSON for programs, as a table for people."""

import json
import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SCHEMA_VERSION = 1

PIPED_WIDTH = 200
"""Columns given to a table that goes to a pipe or file, so that nothing is cut off."""


PIPED_CHART_WIDTH = 100
"""Columns given to a chart that goes to a pipe or file, where COLUMNS does not say."""


class Output(StrEnum):
    """The forms every listing takes."""

    table = "table"
    json = "json"


def print_json(body: dict[str, Any]) -> None:
    """Print one JSON object with its `schema_version` to stdout; indented for a terminal only.

    Without indentation it is one line, and encoded several times as fast.
    """
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps({"schema_version": SCHEMA_VERSION, **body}, indent=indent) + "\n")


def print_view(view: "RenderableType") -> None:
    """Draw a view on stdout: as wide as the terminal, or unabridged in a pipe."""
    stdout_console().print(view)


def stdout_console() -> "Console":
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)


def chart_width() -> int | None:
    """The most columns for a chart on stdout; None for all that the terminal has.

    A chart loses nothing by being narrow, unlike a table.
    """
    if sys.stdout.isatty():
        return None
    columns = os.environ.get("COLUMNS", "")
    is_said = columns.isascii() and columns.isdecimal() and len(columns) < 5
    return (is_said and int(columns)) or PIPED_CHART_WIDTH


def rfc3339(seconds: float | None) -> str | None:
    """A time in seconds since 1970 as RFC 3339 UTC, to the millisecond."""
    if seconds is None:
        return None
    # Few results have times, and every batch would pay for its import.
    from datetime import UTC, datetime

    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
