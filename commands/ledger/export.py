"""`atectl ledger export`: the ledger for dashboards, as text or as a file for node_exporter."""

import sys
import time
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from atectl.errors import ReportUnwritable, UsageError
from atectl.inert import inert_line
from atectl.ledger_store.export.metrics import MetricList, metrics_of, read_state
from atectl.ledger_store.opening import open_for_reading

from ..options.single import LedgerOption
from ..output.stderr import say
from ..output.stdout import print_csv, print_json
from .options import PerPrincipalOption

FILE_NAME = "atectl.prom"


class ExportFormat(StrEnum):
    """The forms that a ledger is exported in."""

    prometheus = "prometheus"
    openmetrics = "openmetrics"
    json = "json"
    csv = "csv"


def export(
    format_: Annotated[
        ExportFormat, typer.Option("--format", help="How to write the metrics.")
    ] = ExportFormat.prometheus,
    per_principal: PerPrincipalOption = 0,
    textfile: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help=f"Write {FILE_NAME} into this folder, for node_exporter to find."
        ),
    ] = None,
    ledger: LedgerOption = None,
) -> None:
    """Print what dashboards show: totals of each host, and what runs there."""
    if textfile is not None:
        if format_ is not ExportFormat.prometheus:
            raise UsageError("--textfile is read by node_exporter, which takes prometheus alone")
        _write_textfile(textfile, _metrics(ledger, per_principal))
        return
    found = _metrics(ledger, per_principal)
    if format_ is ExportFormat.json:
        print_json(found)
    elif format_ is ExportFormat.csv:
        print_csv(found)
    else:
        from atectl.ledger_store.export.exposition import LedgerCollector, exposition

        is_openmetrics = format_ is ExportFormat.openmetrics
        sys.stdout.write(exposition(LedgerCollector(lambda: found), is_openmetrics=is_openmetrics))


def _metrics(ledger: str | None, per_principal: int) -> MetricList:
    with closing(open_for_reading(ledger)) as store:
        return metrics_of(read_state(store), per_principal)


def _write_textfile(folder: Path, found: MetricList) -> None:
    from atectl.ledger_store.export.exposition import LedgerCollector, exposition

    from ..output.files import output_place

    text = exposition(LedgerCollector(lambda: found, time.time()), is_openmetrics=False)
    place = output_place(folder / FILE_NAME)
    try:
        place.write(text)
    except OSError as error:
        raise ReportUnwritable(f"{str(place.path)!r}: {error.strerror or error}") from None
    finally:
        place.close()
    say(f"wrote {inert_line(str(place.path))}")
