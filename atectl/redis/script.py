"""Running a Lua script on the server, sent once and no more."""

import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias

from redis import Redis  # noqa: TID253 - imported lazily, by the commands that need it
from redis.cluster import RedisCluster  # noqa: TID253
from redis.exceptions import NoScriptError  # noqa: TID253

from atectl.redis.faults import translated

Word: TypeAlias = str | bytes | int


class Script:
    """One Lua script: call it with keys and arguments.

    A call is sent once. If the connection breaks or no answer comes, nobody knows whether the
    script ran, and the caller has to decide what to do. It is sent again only if the server says
    that it did nothing.

    Args:
        source: the text of the script.
        client: what sends it. It must not repeat a command on its own.
        address: of the server, for messages.
    """

    def __init__(self, source: str, client: Redis | RedisCluster, address: str) -> None:
        self._source = source
        self._sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        self._client = client
        self._address = address

    def __call__(self, keys: Sequence[str | bytes], args: Sequence[Word] = ()) -> Any:
        """What the script returns, text as bytes. In a cluster the first key's node runs it.

        The server is sent the script's hash. Only a server that does not know it, as after a
        restart, is sent the whole text.

        Raises:
            RedisFailure: see `translated` (exit 125).
        """
        with translated(self._address):
            try:
                return self._send("EVALSHA", self._sha, keys, args)
            except NoScriptError:
                return self._send("EVAL", self._source, keys, args)

    def _send(
        self, command: str, body: str, keys: Sequence[str | bytes], args: Sequence[Word]
    ) -> Any:
        client: Any = self._client
        options = {}
        if isinstance(self._client, RedisCluster):
            # With its node named, redis-py's cluster client does not repeat a command.
            options["target_nodes"] = client.get_node_from_key(keys[0])
        return client.execute_command(command, body, len(keys), *keys, *args, **options)
