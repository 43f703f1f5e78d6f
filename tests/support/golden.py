"""What views look like, held to the pictures under tests/views/golden.

`ATECTL_REDRAW=1 pytest tests/views` draws them anew, and the difference is then to be read.
"""

import os
from io import StringIO

from rich.console import Console, RenderableType

from tests.conftest import ROOT

GOLDEN = ROOT / "tests" / "views" / "golden"
WIDTHS = (60, 80, 120)


def drawn(view: RenderableType, width: int) -> str:
    """The view as text, seen to be no wider than `width` columns."""
    console = Console(file=StringIO(), width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(view)
    lines = capture.get().splitlines()
    assert all(Console(width=width).measure(line).maximum <= width for line in lines)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def assert_looks_like(name: str, picture: str) -> None:
    """Hold a picture to its file, `.txt` unless the name says otherwise."""
    golden = GOLDEN / (name if "." in name else f"{name}.txt")
    if os.environ.get("ATECTL_REDRAW"):
        golden.write_text(picture, encoding="utf-8")
    assert picture == golden.read_text(encoding="utf-8")
