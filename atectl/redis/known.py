"""The servers of one place that are known: those that were named, and those learned of since."""

import threading
from collections.abc import Iterable

from atectl.redis.settings import Address


class KnownServers:
    """The nodes of a cluster, or the Sentinels of a group. Connections to one place share it.

    So whoever connects anew can do without the servers that were named, once others were learned
    of.
    """

    def __init__(self, named: Iterable[Address]) -> None:
        self._named = tuple(named)
        self._learned: tuple[Address, ...] = ()
        self._latest: Address | None = None
        self._mutex = threading.Lock()

    def learn(self, source: Address, servers: Iterable[Address]) -> None:
        """Take over all servers that `source` has told of, in place of those learned before."""
        with self._mutex:
            self._latest = source
            self._learned = tuple(servers)

    def to_ask(self, *, last: Address | None = None) -> list[Address]:
        """All of them, each once: the one that answered last, those named, those learned of.

        Args:
            last: a server to be asked after all others, as it has just failed.
        """
        with self._mutex:
            first = () if self._latest is None else (self._latest,)
            found = dict.fromkeys((*first, *self._named, *self._learned))
        if last in found:
            del found[last]
            found[last] = None
        return list(found)
