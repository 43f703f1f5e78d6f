"""The options of `load`, as its signature has them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from atectl.load.plan import AVAILABLE_SHARE


class Baseline(StrEnum):
    """A loader to compare with."""

    naive = "naive"


PathsArgument = Annotated[
    list[Path],
    typer.Argument(metavar="PATH|-...", help="What to load.", show_default=False),
]
RecursiveOption = Annotated[
    bool, typer.Option("--recursive", "-r", help="Load what is in folders and below.")
]
JobsOption = Annotated[
    int,
    typer.Option(
        "--jobs", "-j", metavar="N", min=1, max=256, help="How many are on their way at once."
    ),
]
LimitOption = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Most memory for all that loads.",
        show_default=f"{AVAILABLE_SHARE:g} of what is available",
    ),
]
FitsOption = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="See that each starts under this quota.", show_default=False),
]
BudgetOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="See that each starts with what this host budget grants it.",
        show_default=False,
    ),
]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Load all anew, and keep nothing.")]
ChartOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|-",
        help="Draw what was held over time into this SVG file; - draws below the table.",
        show_default=False,
    ),
]
BaselineOption = Annotated[
    Baseline | None,
    typer.Option(
        help="Load with this loader too, for comparison: it holds all, and has no bounds.",
        show_default=False,
    ),
]
