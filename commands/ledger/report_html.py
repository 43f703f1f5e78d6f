"""The report of a ledger as one HTML file, which loads nothing else."""

from atectl.ledger_store.export.over_time import LedgerReport

from .report_svg import report_svg


def report_html(report: LedgerReport) -> str:
    """The text of an HTML file with the report as a picture."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta http-equiv="Content-Security-Policy" '
            "content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            "<title>atectl ledger</title>",
            "<style>:root { color-scheme: light dark } body { margin: 1rem } "
            "svg { max-width: 100%; height: auto }</style>",
            "</head>",
            "<body>",
            report_svg(report).strip(),
            "</body>",
            "</html>\n",
        ]
    )
