"""The web server of a ledger: who may look, and where it listens."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from atectl.errors import UsageError
from atectl.ledger_store.errors import CannotListen
from atectl.ledger_store.export.server import (
    Environ,
    Listen,
    Start,
    open_server,
    parse_listen,
    read_token,
)


def hello(environ: Environ, start: Start) -> list[bytes]:
    start("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode()]


@contextmanager
def serving(listen: Listen, token: str | None = None) -> Iterator[int]:
    server = open_server(listen, hello, token)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(port: int, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, "/x", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


LOOPBACK = Listen("127.0.0.1", 0)


def test_loopback_is_asked_nothing() -> None:
    with serving(LOOPBACK) as port:
        assert ask(port) == (200, b"/x")


def test_nothing_can_be_changed() -> None:
    with serving(LOOPBACK) as port:
        for method in ("POST", "PUT", "DELETE"):
            assert ask(port, method)[0] == 405


def test_a_site_whose_name_leads_here_is_refused() -> None:
    with serving(LOOPBACK) as port:
        assert ask(port, Host="evil.example")[0] == 403
        assert ask(port, Host=f"localhost:{port}")[0] == 200


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", "Basic c2VjcmV0", "secret"])
def test_who_does_not_show_the_token_is_refused(shown: str) -> None:
    with serving(LOOPBACK, "secret") as port:
        assert ask(port, Authorization=shown)[0] == 401
        assert ask(port)[0] == 401
        assert ask(port, Authorization="Bearer secret") == (200, b"/x")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_machines_may_look_with_a_token_alone(host: str) -> None:
    with pytest.raises(UsageError, match="token"):
        open_server(Listen(host, 0), hello, None)


def test_a_unix_socket_is_its_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with serving(Listen("", 0, path)):
        assert path.stat().st_mode & 0o077 == 0
        with closing(socket.socket(socket.AF_UNIX)) as client:
            client.connect(str(path))
            client.sendall(b"GET /y HTTP/1.0\r\n\r\n")
            answer = b""
            while data := client.recv(4096):
                answer += data
    assert answer.endswith(b"/y")


def test_the_socket_of_a_server_that_is_gone_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind(str(path))
    with serving(Listen("", 0, path)):
        assert path.is_socket()


def test_nothing_else_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(CannotListen, match="in use"):
        open_server(Listen("", 0, path), hello, None)
    assert path.read_text() == "mine"


def test_a_port_that_is_taken_is_told() -> None:
    with serving(LOOPBACK) as port, pytest.raises(CannotListen, match="in use"):
        open_server(Listen("127.0.0.1", port), hello, None)


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("127.0.0.1:9464", Listen("127.0.0.1", 9464)),
        ("[::1]:1", Listen("::1", 1)),
        ("unix:/run/x", Listen("", 0, Path("/run/x"))),
    ],
)
def test_where_to_listen(text: str, listen: Listen) -> None:
    assert parse_listen(text) == listen


@pytest.mark.parametrize("text", ["", "9464", "host", "host:", ":1", "host:x", "h:70000", "unix:"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no address"):
        parse_listen(text)


def test_a_token_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("secret\n")
    assert read_token(path) == "secret"


@pytest.mark.parametrize("content", [b"", b"\n", "ü".encode(), b"x" * 5000])
def test_a_token_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="token"):
        read_token(path)
    with pytest.raises(UsageError, match="No such file"):
        read_token(tmp_path / "none")
