"""What a terminal shows, character by character, each with its colours."""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import pyte
from pyte.screens import Char


class Cell(NamedTuple):
    """One place of a screen.

    Attributes:
        text: what is there; empty behind a character that is two columns wide.
        foreground: `default`, one of the 16 names in `tests.support.palettes`, or six hexadecimal
            digits.
        background: likewise.
    """

    text: str
    foreground: str = "default"
    background: str = "default"
    is_bold: bool = False
    is_faint: bool = False
    is_reverse: bool = False
    is_underlined: bool = False


Cells = tuple[tuple[Cell, ...], ...]
"""The lines of a screen, down to the last one that is not blank."""


class FaintScreen(pyte.Screen):
    """A screen that also keeps faint text, as italics, which nothing here uses: pyte drops it."""

    def select_graphic_rendition(self, *attributes: int, private: bool = False) -> None:
        if not private:
            super().select_graphic_rendition(*_with_italics_for_faint(attributes))


def _with_italics_for_faint(attributes: tuple[int, ...]) -> Iterator[int]:
    left = iter(attributes)
    for attribute in left:
        if attribute in (38, 48):  # a colour follows, by its number or as red, green and blue
            kind = next(left, 0)
            yield from (attribute, kind)
            yield from (next(left, 0) for _ in range(1 if kind == 5 else 3))
        elif attribute == 22:  # neither bold nor faint
            yield from (22, 23)
        else:
            yield 3 if attribute == 2 else attribute


def cells_of(screen: pyte.Screen) -> Cells:
    """What `screen` shows now."""
    blank = (_cell(screen.default_char),) * screen.columns
    rows = [
        tuple(_cell(line[column]) for column in range(screen.columns)) if line else blank
        for line in map(screen.buffer.get, range(screen.lines))
    ]
    last = max((place for place, row in enumerate(rows, 1) if not _is_blank(row)), default=0)
    return tuple(rows[:last])


def lines_of(screen: pyte.Screen) -> list[str]:
    """The text of all lines, without blanks at the ends; sooner there than pyte's own `display`."""
    return [
        "".join(line[column].data for column in range(max(line) + 1)).rstrip() if line else ""
        for line in map(screen.buffer.get, range(screen.lines))
    ]


@cache
def _cell(char: Char) -> Cell:
    return Cell(
        char.data,
        _colour(char.fg),
        _colour(char.bg),
        char.bold,
        char.italics,
        char.reverse,
        char.underscore,
    )


def _is_blank(row: tuple[Cell, ...]) -> bool:
    return all(
        not cell.text.strip() and cell.background == "default" and not cell.is_reverse
        for cell in row
    )


def _colour(name: str) -> str:
    """The name of one of pyte's colours: it calls yellow brown, and one magenta otherwise."""
    return name.replace("brown", "yellow").replace("bfight", "bright")


def one_cell(output: str) -> Cell:
    """What a terminal shows first of what a program writes."""
    screen = FaintScreen(10, 1)
    pyte.Stream(screen).feed(output)
    return cells_of(screen)[0][0]
