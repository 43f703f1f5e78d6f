"""Opening the ledger on a server."""

import hashlib
from functools import partial

from atectl import config
from atectl.ledger_store.redis.failures import unavailable
from atectl.ledger_store.redis.session import Session
from atectl.ledger_store.redis.spooling import SpoolingStore
from atectl.ledger_store.redis.store import RedisLedgerStore
from atectl.ledger_store.sqlite.spool import Spool
from atectl.redis.connection import connect
from atectl.redis.errors import RedisFailure
from atectl.redis.settings import RedisSettings, settings_of_url

HOST_TIMEOUT_S = 1.0
"""How long a host waits for an answer. What it wants to tell waits in a file then."""


def open_store(url: str) -> RedisLedgerStore:
    """The ledger on this server.

    Raises:
        LedgerUnavailable: the server cannot be reached, or refuses (exit 125).
        BadRedisUrl: the URL cannot be used (exit 2).
    """
    return _connected(settings_of_url(url))


def open_for_hosts(url: str) -> SpoolingStore:
    """The ledger on this server, for a host: what it tells waits in a file if need be.

    Raises:
        BadRedisUrl: the URL cannot be used (exit 2).
    """
    settings = settings_of_url(url)
    name = hashlib.sha256(settings.address.encode()).hexdigest()[:8]
    spool = Spool(config.ledger_spool_path(name))
    timeout_s = min(settings.timeout_s, HOST_TIMEOUT_S)
    hasty = settings._replace(timeout_s=timeout_s, retries=0)
    session = Session()
    return SpoolingStore(partial(_connected, hasty, session), session, spool, settings.address)


def _connected(settings: RedisSettings, session: Session | None = None) -> RedisLedgerStore:
    try:
        return RedisLedgerStore(connect(settings), session)
    except RedisFailure as error:
        raise unavailable(error) from error
