"""A small web server for a ledger: on loopback, on a Unix socket, or behind a token."""

import hmac
import os
import socket
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, NamedTuple
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

from atectl.errors import UsageError
from atectl.ledger_store.errors import CannotListen

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_UNIX = "unix:"
_TIMEOUT_S = 10.0
MAX_TOKEN_BYTES = 4096

Environ = dict[str, Any]
Start = Callable[..., Any]
App = Callable[[Environ, Start], Iterable[bytes]]


class Listen(NamedTuple):
    """Where to listen: a host and a port, or the path of a Unix socket."""

    host: str
    port: int
    path: Path | None = None

    @property
    def is_private(self) -> bool:
        """Whether only this machine can reach it."""
        return self.path is not None or self.host in _LOOPBACK

    @property
    def url(self) -> str:
        """What to open, or to scrape."""
        if self.path is not None:
            return f"{_UNIX}{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"


def parse_listen(text: str) -> Listen:
    """The place of `HOST:PORT`, `[IPV6]:PORT`, or `unix:PATH`.

    Raises:
        UsageError: it is none of these (exit 2).
    """
    if text.startswith(_UNIX) and len(text) > len(_UNIX):
        return Listen("", 0, Path(text.removeprefix(_UNIX)))
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    is_port = port.isascii() and port.isdecimal() and len(port) < 6 and int(port) < 65_536
    if not (colon and host and is_port):
        raise UsageError(f"--listen {text!r} is no address", remedy="write HOST:PORT or unix:PATH")
    return Listen(host, int(port))


def read_token(path: Path) -> str:
    """The token in a file, without the end of its line.

    Raises:
        UsageError: it cannot be read, or is empty (exit 2).
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_TOKEN_BYTES + 1)
        token = content.decode("ascii").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        raise UsageError(f"--token-file {str(path)!r}: {why}") from None
    if not token or len(content) > MAX_TOKEN_BYTES:
        fault = "it is empty" if not token else f"it has more than {MAX_TOKEN_BYTES} bytes"
        raise UsageError(f"--token-file {str(path)!r}: {fault}", remedy="write one line of text")
    return token


class Guarded:
    """An application behind what everybody has to show, and only for reading.

    Args:
        app: the application.
        token: what has to be shown as a bearer token; None for nothing.
        hosts: the names under which it may be asked for; None for all. A page of another site that
            has its name lead to this machine asks under that name.
    """

    def __init__(self, app: App, token: str | None, hosts: frozenset[str] | None) -> None:
        self._app = app
        self._token = token
        self._hosts = hosts

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return refusal(start, "405 Method Not Allowed", ("Allow", "GET, HEAD"))
        if self._hosts is not None and environ.get("HTTP_HOST", "") not in self._hosts:
            return refusal(start, "403 Forbidden")
        if self._token is not None and not self._is_shown(environ):
            return refusal(start, "401 Unauthorized", ("WWW-Authenticate", "Bearer"))
        return self._app(environ, start)

    def _is_shown(self, environ: Environ) -> bool:
        shown = environ.get("HTTP_AUTHORIZATION", "").encode("latin-1", "replace")
        return hmac.compare_digest(shown, f"Bearer {self._token}".encode())


def refusal(start: Start, status: str, *headers: tuple[str, str]) -> list[bytes]:
    """An answer that has nothing but its status."""
    start(status, [("Content-Type", "text/plain; charset=utf-8"), *headers])
    return [f"{status}\n".encode()]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 32

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no matter of ours."""


class _UnixServer(_Server):
    address_family = socket.AF_UNIX
    allow_reuse_address = False

    def server_bind(self) -> None:
        previous = os.umask(0o077)
        try:
            self.socket.bind(self.server_address)
        finally:
            os.umask(previous)
        self.server_name, self.server_port = "localhost", 0
        self.setup_environ()


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = _TIMEOUT_S  # of a client that says nothing

    def address_string(self) -> str:
        return "client"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: what a client sends does not reach the terminal."""

    def get_environ(self) -> Environ:
        if isinstance(self.client_address, str):
            self.client_address = ("", 0)
        return super().get_environ()


ServerHandler.server_software = "atectl"


def open_server(listen: Listen, app: App, token: str | None) -> WSGIServer:
    """A server that listens. `serve_forever` answers until it is closed.

    Raises:
        UsageError: other machines could look, and no token is asked for (exit 2).
        CannotListen: the address cannot be used (exit 125).
    """
    if token is None and not listen.is_private:
        raise UsageError(
            f"--listen {listen.host}:{listen.port}: other machines can reach that, and no token is "
            "asked for",
            remedy="add --token-file FILE, or listen on 127.0.0.1 or unix:PATH",
        )
    try:
        server = _bound(listen)
    except (OSError, ValueError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        where = str(listen.path or f"{listen.host}:{listen.port}")
        raise CannotListen(f"{where}: {why}") from None
    server.set_app(Guarded(app, token, _names(listen, server)))
    return server


def _names(listen: Listen, server: WSGIServer) -> frozenset[str] | None:
    if listen.path is not None or not listen.is_private:
        return None
    port = server.server_port
    return frozenset(f"{host}:{port}" for host in ("127.0.0.1", "[::1]", "localhost"))


def _bound(listen: Listen) -> WSGIServer:
    if listen.path is None:
        kind = _Server6 if ":" in listen.host else _Server
        return kind((listen.host, listen.port), _Handler)
    _remove_stale(listen.path)
    return _UnixServer(str(listen.path), _Handler)  # type: ignore[arg-type]


def _remove_stale(path: Path) -> None:
    """Remove a socket at which nobody listens any more, and nothing else."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
