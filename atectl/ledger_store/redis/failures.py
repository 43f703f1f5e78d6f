"""What goes wrong with a server, as an error of the ledger that is kept there."""

import re

from atectl.errors import LedgerUnavailable
from atectl.redis.errors import RedisFailure

_OPTION = re.compile(r"--redis-([a-z-]+)")


def unavailable(error: RedisFailure) -> LedgerUnavailable:
    """The error of the ledger for one of its server.

    Its remedy names settings: only the locks have options for what a server asks for.
    """
    found = LedgerUnavailable(f"the ledger: {error}", remedy=_of_settings(error.remedy))
    found.__cause__ = error
    return found


def _of_settings(remedy: str) -> str:
    named = _OPTION.sub(lambda option: option[1].replace("-", "_"), remedy)
    return remedy if named == remedy else f"{named} under [redis] in atectl.toml, beside its url"
