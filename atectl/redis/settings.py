"""How the Redis or Valkey server is reached: by options, the environment, or atectl.toml.

Nothing here shows a password: `repr` and `address` leave it out, and no error repeats the URL.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from atectl.config import DEFAULT_REDIS_TIMEOUT_S, Settings, load_settings
from atectl.redis.errors import BadRedisFile, BadRedisUrl, NoRedisNamed
from atectl.units import parse_duration

DEFAULT_RETRIES = 3
DEFAULT_PORT = 6379
MAX_PASSWORD_BYTES = 4096

_SCHEMES = ("redis", "rediss", "unix", "valkey", "valkeys")
_TLS_SCHEMES = ("rediss", "valkeys")
_IN_QUERY = ("db", "master")


class Address(NamedTuple):
    """Where a server listens: a host and a port; the path of a Unix socket and no port."""

    host: str
    port: int

    @property
    def is_socket(self) -> bool:
        return self.port == 0

    def __str__(self) -> str:
        return self.host if self.is_socket else join_address(self.host, self.port)


class RedisSettings(NamedTuple):
    """One place: a single server, nodes of one cluster, or Sentinels of one group.

    Attributes:
        host: empty if the server is reached through the Unix socket `socket_path`.
        others: more nodes of the same cluster, or Sentinels of the same group.
        master: the name by which the Sentinels know the master; empty if they know only one.
        key_file: the file with the private key; None if the key is in `cert_file`.
        server_name: the name that certificates have to be for; None for the host connected to.
        timeout_s: how long connecting may take, and each answer, in seconds.
        retries: how often to retry if the connection breaks or the server cannot answer yet.
    """

    host: str = ""
    port: int = DEFAULT_PORT
    others: tuple[Address, ...] = ()
    socket_path: str = ""
    db: int = 0
    user: str | None = None
    password: str | None = None
    master: str = ""
    is_tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None
    timeout_s: float = DEFAULT_REDIS_TIMEOUT_S
    retries: int = DEFAULT_RETRIES

    @property
    def address(self) -> str:
        """`host:port`, or several of them, or the path of the socket: what messages may show."""
        return ",".join(map(str, self.servers))

    @property
    def servers(self) -> tuple[Address, ...]:
        """Every server that is named, in the order given."""
        if self.socket_path:
            return (Address(self.socket_path, 0),)
        return (Address(self.host, self.port), *self.others)

    def __repr__(self) -> str:
        return f"RedisSettings({self.address})"


def join_address(host: str, port: int) -> str:
    """`host:port`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def redis_settings(
    url: str | Sequence[str] | None = None,
    *,
    password_file: str | None = None,
    ca: str | None = None,
    cert: str | None = None,
    key: str | None = None,
    server_name: str | None = None,
    timeout: str | None = None,
) -> RedisSettings:
    """How to reach the server. Each argument is an option; None or empty if it was not given.

    Several URLs name several nodes of one cluster, or Sentinels of one group.

    `[redis]` in atectl.toml describes one server. If an option or the environment names another,
    the password and certificates in that table are not used. A password file is used instead of
    a password in the URL.

    Raises:
        NoRedisNamed: neither option nor environment nor atectl.toml names a server (exit 2).
        BadRedisUrl: the URL, or an option beside it, cannot be used (exit 2).
        BadRedisFile: the password file cannot be used (exit 2).
        BadDuration: the timeout is no duration (exit 2).
        BadConfiguration: atectl.toml cannot be used (exit 2).
    """
    named, stored = _named(url)
    timeout_s = (
        parse_duration(timeout) if timeout else stored.redis_timeout_s or DEFAULT_REDIS_TIMEOUT_S
    )
    settings = _joined([parse_redis_url(each) for each in named])._replace(
        ca_file=_expanded(ca or stored.redis_ca),
        cert_file=_expanded(cert or stored.redis_cert),
        key_file=_expanded(key or stored.redis_key),
        server_name=server_name or stored.redis_server_name or None,
        timeout_s=timeout_s,
    )
    _refuse_unused(settings)
    if file := _expanded(password_file or stored.redis_password_file):
        settings = settings._replace(password=_read_password(file))
    return settings


def settings_of_url(url: str) -> RedisSettings:
    """How to reach the server of this URL, which nothing else was said of.

    If `[redis]` in atectl.toml describes the same servers, its password file, certificates and
    timeout are used.

    Raises:
        BadRedisUrl: the URL cannot be used (exit 2).
        BadRedisFile: the password file cannot be used (exit 2).
        BadConfiguration: atectl.toml cannot be used (exit 2).
    """
    stored, named = load_settings(), parse_redis_url(url)
    is_described = stored.redis_url and parse_redis_url(stored.redis_url).servers == named.servers
    if not is_described:
        return named
    return redis_settings(
        url,
        password_file=stored.redis_password_file,
        ca=stored.redis_ca,
        cert=stored.redis_cert,
        key=stored.redis_key,
        server_name=stored.redis_server_name,
    )


def _named(url: str | Sequence[str] | None) -> tuple[tuple[str, ...], Settings]:
    """The URLs that are to be used, and the stored settings that go with them.

    Raises:
        NoRedisNamed: there is none (exit 2).
        BadConfiguration: atectl.toml cannot be used (exit 2).
    """
    stored = load_settings()
    given = (url,) if isinstance(url, str) else tuple(url or ())
    named = tuple(filter(None, given or (os.environ.get("ATECTL_REDIS_URL"),)))
    if named:
        return named, Settings(redis_timeout_s=stored.redis_timeout_s)
    if not stored.redis_url:
        raise NoRedisNamed("no Redis server was named")
    return (stored.redis_url,), stored


def _joined(places: Sequence[RedisSettings]) -> RedisSettings:
    """The settings of several URLs: the first one's, with the hosts of all.

    Raises:
        BadRedisUrl: they differ in more than their hosts (exit 2).
    """
    first, *rest = places
    for other in rest:
        if first.socket_path or other.socket_path:
            raise BadRedisUrl(
                "several Redis URLs were given, and one is of a socket",
                remedy="name one socket alone, or nodes by host and port",
            )
        # What another URL leaves out is as the first one has it.
        says_more = other._replace(
            host=first.host,
            port=first.port,
            others=first.others,
            db=other.db or first.db,
            user=other.user or first.user,
            password=other.password or first.password,
            master=other.master or first.master,
        )
        if says_more != first:
            raise BadRedisUrl(
                "the Redis URLs differ in more than their hosts",
                remedy="give all of them one scheme, login, database and master",
            )
    hosts = dict.fromkeys(host for place in places for host in place.servers)
    return first._replace(others=tuple(hosts)[1:])


def parse_redis_url(url: str) -> RedisSettings:
    """The settings in a URL: scheme, hosts and ports or socket, database, user and password.

    Several hosts are separated by commas. `valkey://` and `valkeys://` are other names of
    `redis://` and `rediss://`.

    Raises:
        BadRedisUrl: the scheme is none of these and not `unix://`, or a part cannot be
            read. The message repeats no part that may belong to a password (exit 2).
    """
    parts = _parts(url)
    query = _query(parts)
    is_socket = parts.scheme == "unix"
    login, _, named = parts.netloc.rpartition("@")
    if is_socket == bool(named) or (is_socket and len(parts.path) < 2):
        missing = "the path of a socket and no host" if is_socket else "a host"
        raise BadRedisUrl(f"the Redis URL needs {missing} after {parts.scheme}://")
    if "\0" in unquote(parts.path):
        raise BadRedisUrl("the path of the Redis URL is not valid")
    first, *others = [_address(each, parts.scheme) for each in named.split(",")]
    user, _, password = login.partition(":")
    return RedisSettings(
        host=first.host,
        port=first.port,
        others=tuple(others),
        socket_path=unquote(parts.path) if is_socket else "",
        db=_database(query.get("db") or ("" if is_socket else parts.path.strip("/"))),
        user=unquote(user) or None,
        password=unquote(password) or None,
        master=query.get("master", ""),
        is_tls=parts.scheme in _TLS_SCHEMES,
    )


def _parts(url: str) -> SplitResult:
    """The parts of a URL of a scheme that is known.

    Raises:
        BadRedisUrl: it cannot be taken apart (exit 2).
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _unreadable_host() from None
    if parts.scheme not in _SCHEMES or not url[len(parts.scheme) :].startswith("://"):
        raise BadRedisUrl(
            "the Redis URL does not begin with redis://, rediss://, valkey://, valkeys:// or unix://"
        )
    # An unquoted character in a password ends the host early. The rest is then found here.
    if "@" in parts.path + parts.query or parts.fragment or any(map(str.isspace, url)):
        raise BadRedisUrl("the Redis URL has a character that has to be percent-encoded")
    return parts


def _address(text: str, scheme: str) -> Address:
    """One host of a URL, with its port; an empty host for a socket."""
    if scheme == "unix":
        return Address("", DEFAULT_PORT)
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _unreadable_host() from None
    if not host:
        raise BadRedisUrl(f"the Redis URL needs a host after {scheme}://, and after each comma")
    if port == 0:
        raise BadRedisUrl("the port of the Redis URL is not valid")
    try:
        host.encode("idna")
    except UnicodeError:
        raise BadRedisUrl("the host of the Redis URL is not a host name") from None
    return Address(host, port or DEFAULT_PORT)


def _unreadable_host() -> BadRedisUrl:
    return BadRedisUrl("the host or port of the Redis URL cannot be read")


def _query(parts: SplitResult) -> dict[str, str]:
    query = parse_qs(parts.query, keep_blank_values=True)
    if query.keys() - set(_IN_QUERY) or any(len(values) > 1 for values in query.values()):
        raise BadRedisUrl("the Redis URL takes only ?db=NUMBER and ?master=NAME")
    return {key: values[0] for key, values in query.items()}


def _database(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise BadRedisUrl("the database in the Redis URL is not a number")
    return int(text)


def _refuse_unused(settings: RedisSettings) -> None:
    """Refuse certificates for a connection without TLS, rather than connect unencrypted.

    Raises:
        BadRedisUrl: a certificate, key or server name is set that would not be used (exit 2).
    """
    options = {
        "certificate authority": settings.ca_file,
        "client certificate": settings.cert_file,
        "client key": settings.key_file,
        "server name": settings.server_name,
    }
    given = [name for name, value in options.items() if value]
    if given and not settings.is_tls:
        raise BadRedisUrl(
            f"a {given[0]} was given, and the Redis URL is not for TLS",
            remedy="write rediss:// in place of redis://, or valkeys:// in place of valkey://",
        )
    if settings.key_file and not settings.cert_file:
        raise BadRedisUrl(
            "a client key was given without its certificate", remedy="add --redis-cert"
        )


def _read_password(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib would change the name
            content = file.read(MAX_PASSWORD_BYTES + 1)
        # Some editors put a byte order mark before the text.
        password = content.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise BadRedisFile(f"{path}: the password is not UTF-8") from None
    except OSError as error:
        raise BadRedisFile(f"{path}: {error.strerror or error}") from None
    except ValueError:
        raise BadRedisFile(f"{path!r} is not a file name") from None
    if not password or len(content) > MAX_PASSWORD_BYTES:
        fault = "it is empty" if not password else f"it has more than {MAX_PASSWORD_BYTES} bytes"
        raise BadRedisFile(f"{path}: no password can be read: {fault}")
    return password


def _expanded(path: str | None) -> str | None:
    # Unlike pathlib, this leaves `~name` as it is if there is no such user.
    return os.path.expanduser(path) if path else None  # noqa: PTH111
