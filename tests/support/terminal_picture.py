"""Pictures of terminals: what they show, in colour, as a browser draws it."""

from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from rich.cells import cell_len

from tests.support.browser import draw
from tests.support.cells import Cell, Cells
from tests.support.palettes import Palette, drawn

_ROW_PIXELS, _COLUMN_PIXELS, _EDGE_PIXELS = 17, 8.43, 10

_PAGE = """\
<!doctype html>
<meta charset="utf-8">
<style>
  body {{ margin: {edge}px; background: {background}; color: {foreground} }}
  pre {{ margin: 0; font: 14px/{row}px "DejaVu Sans Mono", monospace }}
  pre.title {{ font-weight: bold; border-top: 1px solid #888; color: #888 }}
  i {{ display: inline-block; width: 2ch; overflow: hidden; font-style: normal }}
</style>
{body}
"""


class Shown(NamedTuple):
    """What a terminal showed, and what of."""

    title: str
    cells: Cells


def write_picture(shown: Sequence[Shown], palette: Palette, place: Path) -> None:
    """Draw screens one below the other, as a PNG, in the colours of a palette."""
    columns = max((len(row) for each in shown for row in each.cells), default=1)
    rows = sum(len(each.cells) + 2 for each in shown)
    page = _PAGE.format(
        edge=_EDGE_PIXELS,
        background=f"#{palette.background}",
        foreground=f"#{palette.foreground}",
        row=_ROW_PIXELS,
        body="\n".join(part for each in shown for part in _screen(each, palette)),
    )
    source = place.with_suffix(".html")
    source.write_text(page, encoding="utf-8")
    size = (
        int(columns * _COLUMN_PIXELS) + 3 * _EDGE_PIXELS,
        rows * _ROW_PIXELS + 3 * _EDGE_PIXELS,
    )
    draw(source.as_uri(), place, size)
    source.unlink()


def _screen(shown: Shown, palette: Palette) -> Iterable[str]:
    yield f'<pre class="title">{escape(shown.title)}</pre>'
    lines = ("".join(_spans(row, palette)) for row in shown.cells)
    yield "<pre>" + "\n".join(lines) + "\n </pre>"


def _spans(row: Sequence[Cell], palette: Palette) -> Iterable[str]:
    for style, cells in groupby(row, key=lambda cell: _style(cell, palette)):
        yield f'<span style="{style}">{"".join(map(_character, cells))}</span>'


def _character(cell: Cell) -> str:
    text = escape(cell.text)
    return f"<i>{text}</i>" if cell_len(cell.text) == 2 else text


def _style(cell: Cell, palette: Palette) -> str:
    foreground, background = drawn(cell, palette)
    return (
        f"color:#{foreground};background:#{background}"
        f"{';font-weight:bold' if cell.is_bold else ''}"
        f"{';text-decoration:underline' if cell.is_underlined else ''}"
    )
