"""The report of a ledger as one HTML file, which loads nothing else."""

from atectl.ledger_store.export.over_time import LedgerReport

from .document import document
from .report_svg import report_svg

_STYLE = (
    ":root { color-scheme: light dark } body { margin: 1rem } svg { max-width: 100%; height: auto }"
)
_LOADS_NOTHING = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


def report_html(report: LedgerReport) -> str:
    """The text of an HTML file with the report as a picture."""
    return document(_STYLE, [report_svg(report).strip()], _LOADS_NOTHING)
