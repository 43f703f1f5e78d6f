"""What the screens of live commands have in common: every line filled, and the keys named."""

from collections.abc import Iterable, Sequence

from rich.console import Group
from rich.text import Text

from .tones import HEADING


def filled(lines: Sequence[Text], height: int) -> list[Text]:
    """`lines`, cut or followed by empty ones to be `height` in number."""
    return [*lines[:height], *(Text() for _ in range(height - len(lines)))]


def whole_screen(lines: Sequence[Text], width: int, height: int) -> Group:
    """As many lines as the screen has, each as wide, so that they cover what was there."""
    screen = [line.copy() for line in filled(lines, height)]
    for line in screen:
        line.truncate(width, overflow="ellipsis", pad=True)
    return Group(*screen)


def key_line(keys: Iterable[tuple[str, str]], width: int, *, title: str = "") -> Text:
    """Keys and what they do, as many as fit in `width`."""
    line = Text(title, no_wrap=True, overflow="crop")
    for key, meaning in keys:
        gap = "" if line.plain == title else "  "
        if line.cell_len + len(gap) + len(key) + 1 + len(meaning) > width:
            break
        line.append_text(Text.assemble(gap, (key, HEADING), f" {meaning}"))
    return line
