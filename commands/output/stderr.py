"""What is said on stderr: errors, warnings, notes, and what is waited for."""

import os
import sys

from atectl.errors import AtectlError


def report_error(error: AtectlError) -> None:
    """Print an error and its remedy to stderr, without any terminal control the text holds."""
    _report("error", "\x1b[1;31m", error)


def report_warning(error: AtectlError) -> None:
    """Print an error that did not keep the command from its work."""
    _report("warning", "\x1b[1;33m", error)


def _report(severity: str, colour: str, error: AtectlError) -> None:
    # A run that ends well says nothing, and every run would pay for its import.
    from atectl.inert import inert_line

    is_coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    begin, end = (colour, "\x1b[0m") if is_coloured else ("", "")
    lines = [f"{begin}{severity}[{error.code}]{end}: {inert_line(str(error))}"]
    if error.remedy:
        lines.append(f"  try: {inert_line(error.remedy)}")
    sys.stderr.write("\n".join(lines) + "\n")


def tell_of_wait(busy: AtectlError) -> None:
    """Say on a terminal what is waited for."""
    if sys.stderr.isatty():
        from atectl.inert import inert_line

        print(f"waiting: {inert_line(str(busy))}", file=sys.stderr)


def say(note: str) -> None:
    """Tell the user something that is no result: on stderr."""
    print(note, file=sys.stderr)
