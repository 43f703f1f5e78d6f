"""`atectl ledger serve`: the ledger as a page, and its metrics for Prometheus."""

import signal
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer

from ..options.single import LedgerOption
from ..output.stderr import say
from .options import PerPrincipalOption


def serve(
    listen: Annotated[
        str,
        typer.Option(metavar="HOST:PORT|unix:PATH", help="Where to listen."),
    ] = "127.0.0.1:9464",
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File with a bearer token that everybody has to show; needed "
            "where other machines can reach it.",
        ),
    ] = None,
    per_principal: PerPrincipalOption = 0,
    ledger: LedgerOption = None,
) -> None:
    """Serve a page of the ledger at /, and metrics for Prometheus at /metrics."""
    from atectl.ledger_store.export.exposition import require_client
    from atectl.ledger_store.export.server import open_server, parse_listen, read_token
    from atectl.ledger_store.opening import LedgerReader

    from .site import LedgerSite

    require_client()
    place = parse_listen(listen)
    token = None if token_file is None else read_token(token_file)
    site = LedgerSite(LedgerReader(ledger), per_principal)
    # A ledger that cannot be read now is an error, rather than a page that says so.
    site.state()
    server = open_server(place, site, token)
    ended: list[int] = []

    def end(number: int, _frame: object) -> None:
        ended.append(number)
        Thread(target=server.shutdown, daemon=True).start()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
    where = place if place.path is not None else place._replace(port=server.server_port)
    say(f"serving the ledger at {where.url}; Ctrl-C ends it")
    try:
        server.serve_forever(poll_interval=0.1)
    finally:
        server.server_close()
        site.close()
        if place.path is not None:
            with suppress(FileNotFoundError):
                place.path.unlink()
    raise typer.Exit(128 + ended[0] if ended else 0)
