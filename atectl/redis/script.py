"""Running a Lua script on the server, sent once and no more."""

import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias

from redis.exceptions import NoScriptError  # noqa: TID253 - imported lazily, where it is needed

from atectl.redis.client import Client
from atectl.redis.errors import RedisFailure

Word: TypeAlias = str | bytes | int


class Script:
    """One Lua script: call it with keys and arguments.

    A call is sent once. If the connection breaks or no answer comes, nobody knows whether the
    script ran, and the caller has to decide what to do. It is sent again only if it is known that
    nothing was done.

    Args:
        source: the text of the script.
        client: what sends it.
    """

    def __init__(self, source: str, client: Client) -> None:
        self._source = source
        self._sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        self._client = client

    def __call__(self, keys: Sequence[str | bytes], args: Sequence[Word] = ()) -> Any:
        """What the script returns, text as bytes. In a cluster the first key's node runs it.

        The server is sent the script's hash. Only a server that does not know it, as after a
        restart, is sent the whole text.

        Raises:
            RedisFailure: see `faults.translation` (exit 125).
        """
        try:
            return self._client.send_once("EVALSHA", self._sha, len(keys), *keys, *args)
        except RedisFailure as error:
            if not isinstance(error.__cause__, NoScriptError):
                raise
        return self._client.send_once("EVAL", self._source, len(keys), *keys, *args)
