"""Opening the stored ledger that the flag, the environment or atectl.toml names.

What kind of store that is, its scheme says: `_STORES` is the one list of them.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from atectl import config
from atectl.errors import LedgerError, LedgerUnavailable, UsageError, nearest
from atectl.ledger_store.records import LedgerStore

FILE = "file"


def open_for_reading(flag: str | None = None) -> LedgerStore:
    """The ledger, to be read only. The default one reads as empty before anything ran.

    Args:
        flag: what `--ledger` said.

    Raises:
        LedgerError: it cannot be opened; a file that was named must exist (exit 125).
        BadConfiguration: atectl.toml cannot be used (exit 2).
        UsageError: it is the URL of no store that there is, or of none that can be (exit 2).
    """
    place = _place(flag)
    return _STORES[scheme_of(place)].open(place, False)


def open_for_writing(flag: str | None = None) -> LedgerStore:
    """The ledger, for what a host tells or an operator forgets; a file is created.

    What a host tells a server that cannot be reached waits in a file of this machine.

    Args:
        flag: what `--ledger` said.

    Raises:
        LedgerError: it cannot be opened or created (exit 125).
        BadConfiguration: atectl.toml cannot be used (exit 2).
        UsageError: it is the URL of no store that there is, or of none that can be (exit 2).
    """
    place = _place(flag)
    return _STORES[scheme_of(place)].open(place, True)


class LedgerReader:
    """A ledger that is looked at again and again. The connection to a server is kept.

    A file is opened anew each time: it may be another by then.
    """

    def __init__(self, flag: str | None = None) -> None:
        self._flag = flag
        self._kept: LedgerStore | None = None

    @contextmanager
    def store(self) -> Iterator[LedgerStore]:
        """The ledger, to be read only; raises as `open_for_reading`."""
        if scheme_of(_place(self._flag)) == FILE:
            with closing(open_for_reading(self._flag)) as store:
                yield store
            return
        if self._kept is None:
            self._kept = open_for_reading(self._flag)
        try:
            yield self._kept
        except LedgerError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of it; idempotent."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()


def require_place(place: Path | str) -> None:
    """See, before anything runs, that a ledger may be at a place. Nobody is asked.

    Raises:
        UsageError: it is the URL of no store that there is, or of none that can be (exit 2).
    """
    _STORES[scheme_of(place)].require(place)


def scheme_of(place: Path | str) -> str:
    """What kind of store is at a place: `file`, or the scheme of a URL.

    Raises:
        UsageError: there is no such kind (exit 2).
    """
    if isinstance(place, Path):
        return FILE
    scheme = place.partition("://")[0]
    if scheme not in _STORES:
        raise UsageError(
            f"no ledger can be kept at {scheme}://{nearest(scheme, list(_STORES))}",
            remedy="name a file, or a server by redis://HOST:PORT or rediss://HOST:PORT",
        )
    return scheme


def _place(flag: str | None) -> Path | str:
    place = config.ledger_place(flag)
    if place is None:
        raise LedgerUnavailable(
            "no ledger is kept: its place is given as 'none'",
            remedy="name a ledger with --ledger",
        )
    return place


def _file(place: Path | str, writes: bool) -> LedgerStore:
    from atectl.ledger_store.sqlite.store import SqliteLedgerStore

    path = Path(place)
    return SqliteLedgerStore(
        path,
        host=os.uname().nodename,
        read_only=not writes,
        at_default_place=path == config.default_ledger_path(),
    )


def _server(place: Path | str, writes: bool) -> LedgerStore:
    from atectl.ledger_store.redis import opening

    return opening.open_for_hosts(str(place)) if writes else opening.open_store(str(place))


def _any_path(_place: Path | str) -> None:
    """Whether a file can be there, opening it tells."""


def _address(place: Path | str) -> None:
    from atectl.redis.settings import settings_of_url

    settings_of_url(str(place))


class _Kind(NamedTuple):
    """A kind of store.

    Attributes:
        open: opens the one at a place, for reading, or for writing if told so.
        require: raises UsageError if none can be at that place (exit 2).
    """

    open: Callable[[Path | str, bool], LedgerStore]
    require: Callable[[Path | str], None]


_SERVER = _Kind(_server, _address)
_STORES = {
    FILE: _Kind(_file, _any_path),
    **dict.fromkeys(("redis", "rediss", "valkey", "valkeys", "unix"), _SERVER),
}
"""The kinds of stores, by the schemes of their places."""
