"""What `ledger serve` answers: the page, and the metrics."""

import threading
import time
from collections.abc import Iterable
from typing import Any

from atectl.errors import LedgerError
from atectl.inert import inert_line
from atectl.ledger_store.export.exposition import LedgerCollector, registry_of, require_client
from atectl.ledger_store.export.metrics import LedgerState, MetricList, metrics_of, read_state
from atectl.ledger_store.export.server import Environ, Start, refusal
from atectl.ledger_store.opening import LedgerReader

from .page import failure_page, ledger_page, security_headers

FRESH_S = 1.0
"""How long what was read is shown to others, too, so that many of them cost what one does."""


class LedgerSite:
    """A WSGI application that shows a ledger, and changes nothing.

    Args:
        reader: the ledger.
        per_principal: how many principals are named; 0 for none.
    """

    def __init__(self, reader: LedgerReader, per_principal: int) -> None:
        self._reader = reader
        self._per_principal = per_principal
        self._reading = threading.Lock()
        self._read: tuple[float, LedgerState] | None = None
        self._metrics: Any = require_client().make_wsgi_app(
            registry_of(LedgerCollector(self.metrics))
        )

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        match environ.get("PATH_INFO"):
            case "/":
                return self._page(start)
            case "/metrics":
                return self._exposition(environ, start)
        return refusal(start, "404 Not Found")

    def state(self) -> LedgerState:
        """What the ledger says, at most a second old.

        Raises:
            LedgerError: it cannot be read (exit 125).
        """
        with self._reading:
            now = time.monotonic()
            if self._read is None or now - self._read[0] > FRESH_S:
                with self._reader.store() as store:
                    self._read = now, read_state(store)
            return self._read[1]

    def metrics(self) -> MetricList:
        """What the ledger says, as metrics; raises as `state`."""
        return metrics_of(self.state(), self._per_principal)

    def close(self) -> None:
        """Let go of the ledger."""
        with self._reading:
            self._reader.close()

    def _page(self, start: Start) -> list[bytes]:
        try:
            status, text = "200 OK", ledger_page(self.state(), self._per_principal, time.time())
        except LedgerError as error:
            status, text = "503 Service Unavailable", failure_page(error)
        body = text.encode()
        start(status, [*security_headers(), ("Content-Length", str(len(body)))])
        return [body]

    def _exposition(self, environ: Environ, start: Start) -> Iterable[bytes]:
        try:
            answer: Iterable[bytes] = self._metrics(environ, start)
        except LedgerError as error:
            start("503 Service Unavailable", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{error.code}: {inert_line(str(error))}\n".encode()]
        return answer
