"""A result on a screen of its own, with a line below it."""

from rich.console import Group, RenderableType
from rich.text import Text

from atectl.inert import inert_line

from .lines import text_lines
from .screen import filled, key_line, whole_screen
from .tones import ALARM

_KEYS = (("q", "quit"), ("space", "pause"))


def watched_screen(
    view: RenderableType, width: int, height: int, *, failure: str = "", is_paused: bool = False
) -> Group:
    """As many lines as the screen has, each as wide.

    Args:
        failure: why what is seen is not up to date; empty if it is.
    """
    lines = [Text.from_ansi(line) for line in text_lines(view, width)]
    body = filled(lines, max(height - 1, 0))
    if failure:
        last = Text(f"trying again: {inert_line(failure)}", style=ALARM, no_wrap=True)
    else:
        last = key_line(_KEYS, width, title="paused" if is_paused else "")
    return whole_screen([*body, last], width, height)
