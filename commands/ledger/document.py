"""An HTML file that loads nothing else."""

from collections.abc import Iterable

TITLE = "atectl ledger"


def document(style: str, parts: Iterable[str], http_headers: dict[str, str]) -> str:
    """The text of an HTML file.

    Args:
        style: its style sheet.
        parts: what it shows, as HTML.
        http_headers: what a browser is told in place of a header of HTTP.
    """
    metas = (
        f'<meta http-equiv="{name}" content="{content}">' for name, content in http_headers.items()
    )
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            *metas,
            f"<title>{TITLE}</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            *parts,
            "</body>",
            "</html>\n",
        ]
    )
