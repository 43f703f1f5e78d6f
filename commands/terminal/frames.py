"""What is sent to a terminal to draw one frame of a live display."""

import os
from collections.abc import Sequence
from typing import TextIO

BEGIN_FRAME, END_FRAME = "\x1b[?2026h", "\x1b[?2026l"
"""Around a synchronized update: a terminal that knows these shows it all at once."""


def frame(text: str) -> str:
    """`text` as one synchronized update."""
    return f"{BEGIN_FRAME}{text}{END_FRAME}"


def changed_lines(lines: Sequence[str], shown: Sequence[str]) -> str:
    """What turns the screen that shows `shown` into `lines`: only lines that differ.

    Each is as wide as the screen, so nothing need be cleared.
    """
    return "".join(
        f"\x1b[{place + 1};1H{line}"
        for place, line in enumerate(lines)
        if place >= len(shown) or shown[place] != line
    )


def can_draw() -> bool:
    """Whether the kind of terminal that TERM names obeys what moves its cursor."""
    return os.environ.get("TERM", "dumb") != "dumb"


def is_ascii_only(stream: TextIO) -> bool:
    """Whether what is drawn on a stream has to do without block characters and arrows."""
    return not stream.encoding.lower().startswith("utf")
