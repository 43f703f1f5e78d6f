"""Colours: what is written can be read, and what is drawn be seen, on light and dark terminals."""

import re

import pytest
from rich.color import ColorSystem
from rich.style import Style

from atectl.commands.drawing.tones import ALARM, FULL, HEADING, KINDS, NEAR, ROOM, WARNING
from tests.conftest import ROOT
from tests.support.cells import Cell, one_cell
from tests.support.palettes import PALETTES, Palette, contrast, drawn, needed

SEEN = 3.0
"""The contrast that what is no text needs, by the Web Content Accessibility Guidelines."""

COLOURS = re.compile(
    r"""(["'])(?:not )?(?:bold |dim )?"""
    r"""(?:(?:bright_)?(?:black|red|green|yellow|blue|magenta|cyan|white)|dim|bold)\1"""
)


def cell_in(style: str, system: ColorSystem = ColorSystem.EIGHT_BIT) -> Cell:
    """A letter in a style, as a terminal with so many colours gets it."""
    found = Style.parse(style)
    codes = ["1"] if found.bold else []
    for colour, is_text in ((found.color, True), (found.bgcolor, False)):
        if colour is not None:
            codes += colour.downgrade(system).get_ansi_codes(foreground=is_text)
    return one_cell(f"\x1b[{';'.join(codes)}mx")


@pytest.mark.parametrize("palette", PALETTES, ids=lambda palette: palette.name)
@pytest.mark.parametrize("style", [HEADING, WARNING, ALARM])
def test_words_can_be_read(style: str, palette: Palette) -> None:
    assert contrast(*drawn(cell_in(style), palette)) >= needed(palette)


@pytest.mark.parametrize("palette", PALETTES, ids=lambda palette: palette.name)
@pytest.mark.parametrize("style", [ROOM, NEAR, FULL, *KINDS])
def test_what_is_drawn_can_be_seen(style: str, palette: Palette) -> None:
    assert contrast(*drawn(cell_in(style), palette)) >= SEEN


@pytest.mark.parametrize("palette", PALETTES, ids=lambda palette: palette.name)
@pytest.mark.parametrize("style", [WARNING, ALARM])
def test_words_stand_out_with_sixteen_colours(style: str, palette: Palette) -> None:
    assert contrast(*drawn(cell_in(style, ColorSystem.STANDARD), palette)) >= SEEN


def test_no_view_names_a_colour_of_its_own() -> None:
    views = [path for path in (ROOT / "commands").rglob("*.py") if path.name != "tones.py"]
    assert len(views) > 100
    found = [
        f"{path.name}: {match[0]}"
        for path in views
        for match in COLOURS.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not found
