"""Draws a stranger's walk, as terminals of four widths show it, light and dark."""

import argparse
import os
import tempfile
from pathlib import Path

from tests.conftest import OF_THE_USER
from tests.support.palettes import DARK, LIGHT
from tests.support.redis_servers import Server
from tests.support.terminal_picture import Shown, write_picture
from tests.support.walk import COLUMNS, STEPS, Walk

_MOST_ROWS = 70


def draw_step(step: str, columns: int, folder: Path) -> None:
    """Take one step, and draw its screens."""
    with tempfile.TemporaryDirectory() as name, Server() as server:
        homes = {f"XDG_{kind}_HOME": f"{name}/{kind}" for kind in ("STATE", "CACHE", "CONFIG")}
        walk = Walk(Path(name), columns, ATECTL_REDIS_URL=server.url, **homes)
        STEPS[step](walk)
    shown = [Shown(title, look.cells) for title, look in walk.looks.items()]
    for number, page in enumerate(_pages(shown), 1):
        for word, palette in (("light", LIGHT), ("dark", DARK)):
            write_picture(page, palette, folder / f"{step}-{columns}-{number}-{word}.png")


def _pages(shown: list[Shown]) -> list[list[Shown]]:
    """As many screens on a picture as can be read at once; at least one."""
    pages: list[list[Shown]] = []
    left = 0
    for each in shown:
        left -= len(each.cells)
        if left < 0:
            pages.append([])
            left = _MOST_ROWS - len(each.cells)
        pages[-1].append(each)
    return pages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures are written")
    parser.add_argument("steps", nargs="*", metavar="step", help=f"of {', '.join(STEPS)}")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for variable in OF_THE_USER:
        os.environ.pop(variable, None)
    for step in given.steps or STEPS:
        for columns in COLUMNS:
            draw_step(step, columns, given.folder.resolve())


if __name__ == "__main__":
    main()
