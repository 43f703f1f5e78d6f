"""`atectl ledger report`: some principals in a file, for a ticket."""

import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from atectl.errors import ReportUnwritable, UsageError
from atectl.inert import inert_line
from atectl.ledger_store.opening import open_for_reading
from atectl.units import parse_duration

from ..options.candidates import complete_principal
from ..options.single import LedgerOption
from ..output.stderr import say


def report(
    principals: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PRINCIPAL]...",
            help="Whom to show.",
            show_default="those of the highest peaks",
            autocompletion=complete_principal,
        ),
    ] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write an SVG file.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write an HTML file.")] = None,
    last: Annotated[
        str, typer.Option(metavar="DURATION", help="How much time before now to show.")
    ] = "1h",
    ledger: LedgerOption = None,
) -> None:
    """Write a table of principals and their memory over time to a file."""
    from atectl.ledger_store.export.over_time import MOST_PRINCIPALS, report_of

    from ..output.files import ledger_files, output_place, refuse_clashes
    from .report_html import report_html
    from .report_svg import report_svg

    if svg is None and html is None:
        raise UsageError("no file was named", remedy="add --svg FILE or --html FILE")
    chosen = list(dict.fromkeys(principals or []))
    if len(chosen) > MOST_PRINCIPALS:
        raise UsageError(
            f"{len(chosen)} principals were named; a report has {MOST_PRINCIPALS} at most"
        )
    span_s = parse_duration(last)
    refuse_clashes([("--svg", svg), ("--html", html)], ledger_files(ledger))
    # Looked at before the ledger is read: a place that cannot be written is told at once.
    places = [
        (output_place(path), draw)
        for path, draw in ((svg, report_svg), (html, report_html))
        if path is not None
    ]
    try:
        with closing(open_for_reading(ledger)) as store:
            found = report_of(store, chosen, span_s=span_s, now=time.time())
        for output, draw in places:
            try:
                output.write(draw(found))
            except OSError as error:
                raise ReportUnwritable(f"{str(output.path)!r}: {error.strerror}") from None
            say(f"wrote {inert_line(str(output.path))}")
    finally:
        for output, _ in places:
            output.close()
