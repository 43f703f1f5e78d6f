"""What is said on stderr: errors, warnings, notes, and what is waited for."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from atectl.errors import AtectlError

from .folding import folded_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

_ALARM, _WARNING = "\x1b[1;38;5;231;48;5;160m", "\x1b[1;38;5;16;48;5;178m"
"""The styles of these names in `drawing.tones`, which Rich would have to write."""

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"

_is_quiet = False
"""Whether nothing but errors is said: `quietly` is entered."""


_is_json = False
"""Whether errors and warnings are lines of JSON: what `tell_as_json` was last told."""


@contextmanager
def quietly(*, is_on: bool = True) -> Iterator[None]:
    """Say nothing but errors, for `--quiet`, for as long as this is entered."""
    global _is_quiet
    _is_quiet = is_on
    try:
        yield
    finally:
        _is_quiet = False


def is_quiet() -> bool:
    """Whether nothing but errors is said."""
    return _is_quiet


def tell_as_json(*, is_on: bool) -> None:
    """Tell errors and warnings as lines of JSON from now on, for `-o json`, or as text."""
    global _is_json
    _is_json = is_on


def report_error(error: AtectlError) -> None:
    """Print an error and its remedy to stderr, without any terminal control the text holds."""
    if _is_json:
        _report_json("error", error.code, str(error), error.remedy, error.exit_status)
    else:
        _report("error", _ALARM, error.code, str(error), error.remedy)


def report_warning(error: AtectlError) -> None:
    """Print an error that did not keep the command from its work."""
    warn(error.code, str(error), error.remedy)


def warn(code: str, message: str, remedy: str = "") -> None:
    """Print a warning, and what to do."""
    if _is_quiet:
        return
    if _is_json:
        _report_json("warning", code, message, remedy, None)
    else:
        _report("warning", _WARNING, code, message, remedy)


def _report_json(
    severity: "Literal['error', 'warning']",
    code: str,
    message: str,
    remedy: str,
    exit_status: int | None,
) -> None:
    # Only a failure needs these.
    from atectl.records.as_json import document
    from atectl.records.as_text import json_text
    from atectl.records.errors import ToldError

    told = ToldError(severity, code, message, remedy, exit_status)
    sys.stderr.write(json_text(document(told)) + "\n")


def _report(severity: str, colour: str, code: str, message: str, remedy: str) -> None:
    # A run that ends well says nothing, and every run would pay for its import.
    from atectl.inert import inert_line

    from ..terminal.frames import can_draw

    is_plain = os.environ.get("NO_COLOR") or not can_draw()
    is_coloured = sys.stderr.isatty() and not is_plain
    head = f"{severity}[{code}]"
    lines = folded_on(sys.stderr, f"{head}: {inert_line(message)}", indent=2)
    if remedy:
        lines += "\n" + folded_on(sys.stderr, f"  try: {inert_line(remedy)}", indent=5)
    if is_coloured:
        begin = colour if _has_many_colours() else _BOLD
        lines = lines.replace(head, f"{begin}{head}{_PLAIN}", 1)
    sys.stderr.write(lines + "\n")


def _has_many_colours() -> bool:
    """Whether the terminal knows the colours 16 to 255."""
    return bool(os.environ.get("COLORTERM")) or os.environ.get("TERM", "").endswith("256color")


def tell_of_wait(busy: AtectlError) -> None:
    """Say on a terminal what is waited for."""
    if sys.stderr.isatty() and not _is_quiet:
        from atectl.inert import inert_line

        # How long the TTL still lasts would be wrong a moment later.
        told = str(busy).partition("; TTL left")[0]
        print(folded_on(sys.stderr, f"waiting: {inert_line(told)}", indent=2), file=sys.stderr)


def say(note: str, *, between: str = " ") -> None:
    """Tell the user something that is no result: on stderr.

    Args:
        between: what stands between its words, or parts: where it may be broken on a terminal.
    """
    if not _is_quiet:
        print(folded_on(sys.stderr, note, indent=2, between=between), file=sys.stderr)
