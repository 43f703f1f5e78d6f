"""Sending commands to whichever server they belong to, again where that can help.

A `Router` knows the servers: one, the nodes of a cluster, or the master that Sentinels name. The
client follows redirections, repeats what did nothing, and has the router look for the servers anew
when one of them fails. All its faults are errors of ours, and name the server that failed.
"""

import random
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

from redis.commands import CoreCommands  # noqa: TID253 - imported lazily, by what needs it
from redis.exceptions import (  # noqa: TID253
    AskError,
    AuthenticationError,
    AuthorizationError,
    ConnectionError,  # noqa: A004
    MovedError,
    TryAgainError,
)

from atectl.errors import AtectlError
from atectl.redis.batch import Batch
from atectl.redis.errors import (
    RedisBusy,
    RedisClusterDown,
    RedisFailure,
    RedisLoginRefused,
    RedisPermissionDenied,
    RedisReadOnly,
    RedisSlotMoving,
    RedisTimeout,
    RedisWrongType,
)
from atectl.redis.faults import FOREIGN, causes, translation
from atectl.redis.routing import Router, Server, target_of
from atectl.redis.single import SingleRouter

BACKOFF_BASE_S = 0.05
BACKOFF_CAP_S = 1.0

_MAX_REDIRECTIONS = 8

NOTHING_DONE = (RedisBusy, RedisClusterDown, RedisReadOnly, RedisSlotMoving)
"""These answers mean that the server did nothing, so the command may be sent again."""

_KEY_PLACES = {"EVAL": 3, "EVALSHA": 3}
"""Where a command has its first key, if that is not its first argument."""

_KEYLESS = frozenset({"PING", "HELLO", "TIME", "SCAN", "INFO", "WAIT", "DBSIZE", "CONFIG"})

Command = tuple[Any, ...]


class Client(CoreCommands):
    """Runs commands, each on the server that it belongs to. It has the methods of redis-py.

    Args:
        router: knows the servers.
        retries: how often a command is sent again.
        jitter: returns random numbers from 0 to 1, for the pauses before that.
    """

    # redis-py's own wants to know these of each of its clients.
    _is_async_client: Literal[False] = False
    _event_dispatcher: Any = None

    def __init__(
        self, router: Router, retries: int, jitter: Callable[[], float] = random.random
    ) -> None:
        self._router = router
        self._retries = retries
        self._jitter = jitter

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """The answer. If the connection breaks, the command is sent again.

        Raises:
            RedisFailure: see `faults.translation` (exit 125).
        """
        return self._run(args, options, repeats=True)

    def send_once(self, *args: Any) -> Any:
        """The answer. The command is sent again only if it is known that nothing was done.

        Raises:
            RedisFailure: see `faults.translation`. If the connection broke or no answer came,
                nobody knows whether the command was run (exit 125).
        """
        return self._run(args, {}, repeats=False)

    def ask(self, server: Server, *args: Any) -> Any:
        """The answer of a certain server. If the connection breaks, the command is sent again.

        Raises:
            AtectlError: see `faults.translation` (exit 125).
        """
        return Client(SingleRouter(server), self._retries, self._jitter).execute_command(*args)

    def answers(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to commands of one key each, sent to each server in one go.

        In place of an answer that could not be had stands an AtectlError. Nothing is raised.
        """
        found: list[Any] = [None] * len(commands)
        places = list(range(len(commands)))
        for is_last in (False, True):
            batches = self._batches(commands, places, found)
            for batch in batches:
                batch.send()
            places = [place for batch in batches for place in batch.receive(found)]
            for batch in batches:
                if batch.fault is not None:
                    self._look_anew(batch.server)
            if not places or is_last:
                break
        for place, answer in enumerate(found):
            if isinstance(answer, RedisSlotMoving):
                found[place] = self._answer_or_failure(commands[place])
        return found

    def close(self) -> None:
        """Close every socket. Closing twice does no harm."""
        self._router.close()

    def _run(self, args: Command, options: dict[str, Any], *, repeats: bool) -> Any:
        key = key_of(args)
        attempt = 0
        while True:
            try:
                trip = _Trip(self._router, self._router.server_of(key))
            except RedisFailure as failure:  # nobody knows a server for it
                error: AtectlError = failure
                may_repeat = not isinstance(failure, RedisLoginRefused)
            else:
                try:
                    return trip.send(args, options)
                except FOREIGN as fault:
                    error, may_repeat = self._told(fault, trip, args, repeats=repeats)
                    error.__cause__ = fault
            if not may_repeat or attempt >= self._retries:
                raise error
            time.sleep(pause_s(attempt, self._jitter()))
            attempt += 1

    def _told(
        self, fault: Exception, trip: "_Trip", args: Command, *, repeats: bool
    ) -> tuple[AtectlError, bool]:
        """The error for a fault, and whether the command may be sent again."""
        error, key = translation(fault, trip.server.route), key_of(args)
        is_broken = isinstance(fault, ConnectionError | OSError)
        if is_broken or isinstance(error, (*NOTHING_DONE, RedisTimeout)):
            # Of a server that hangs, too, another may have taken the place.
            self._look_anew(trip.server)
        if isinstance(error, RedisSlotMoving) and key is not None:
            error = self._router.explained(error, trip.server, key)
        if isinstance(error, RedisPermissionDenied | RedisWrongType):
            error = _naming_keys(error, args)
        if isinstance(error, NOTHING_DONE):
            return error, True
        return error, is_broken and (repeats or not trip.was_sent) and _may_pass(fault, error)

    def _look_anew(self, failed: Server) -> None:
        # If nobody can tell, the next attempt fails and says so.
        with suppress(RedisFailure):
            self._router.look_anew(failed)

    def _answer_or_failure(self, command: Command) -> Any:
        try:
            return self.execute_command(*command)
        except RedisFailure as failure:
            return failure

    def _batches(
        self, commands: Sequence[Command], places: Sequence[int], found: list[Any]
    ) -> list[Batch]:
        """The commands at these places, by server. Of those without one, the failure is noted."""
        batches: dict[Server, Batch] = {}
        for place in places:
            try:
                server = self._router.server_of(key_of(commands[place]))
            except RedisFailure as failure:
                found[place] = failure
                continue
            batch = batches.get(server)
            if batch is None:
                batch = batches[server] = Batch(self._router, server)
            batch.add(place, commands[place])
        return list(batches.values())


class _Trip:
    """One command on its way: to the server of its key, and wherever that one sends it.

    Attributes:
        server: where it is.
        was_sent: the server may have run it.
    """

    def __init__(self, router: Router, server: Server) -> None:
        self._router = router
        self.server = server
        self.was_sent = False

    def send(self, args: Command, options: dict[str, Any]) -> Any:
        is_asking = False
        for _ in range(_MAX_REDIRECTIONS):
            try:
                return self._send(args, options, is_asking)
            except MovedError as moved:
                self._router.moved(moved.slot_id, target_of(moved, self.server))
                target, is_asking = target_of(moved, self.server), False
            except AskError as moving:
                target, is_asking = target_of(moving, self.server), True
            self.server = self._router.at(target, self.server)
        raise TryAgainError("the nodes send this command from one to another")

    def _send(self, args: Command, options: dict[str, Any], is_asking: bool) -> Any:
        client = self.server.client
        pool = client.connection_pool
        self.was_sent = False
        connection: Any = pool.get_connection()
        try:
            self.was_sent = True
            if is_asking:
                connection.send_command("ASKING")
                connection.read_response()
            connection.send_command(*args)
            answer: Any = client.parse_response(connection, args[0], **options)  # type: ignore[no-untyped-call]
            return answer
        finally:
            pool.release(connection)


def key_of(args: Command) -> bytes | None:
    """The first key of a command; None if it has none."""
    place = _KEY_PLACES.get(args[0], 1)
    if len(args) <= place or args[0] in _KEYLESS:
        return None
    key = args[place]
    return key if isinstance(key, bytes) else str(key).encode("utf-8", "surrogateescape")


def _naming_keys(error: AtectlError, args: Command) -> AtectlError:
    """The error with the keys of its command, which the server may leave out."""
    keys = args[3 : 3 + int(args[2])] if args[0] in _KEY_PLACES else args[1:2]
    names = [key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key) for key in keys]
    missing = [name for name in names if name not in str(error)]
    if not missing:
        return error
    what = "key" if len(missing) == 1 else "keys"
    return type(error)(f"{error} ({what}: {', '.join(missing)})", remedy=error.remedy)


def pause_s(attempt: int, unit: float) -> float:
    """How long to wait before a command is sent again, in seconds.

    Args:
        attempt: how often it was sent again so far. The bound doubles each time.
        unit: a random number from 0 to 1.
    """
    return unit * min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0**attempt)


def _may_pass(fault: BaseException, error: AtectlError) -> bool:
    """Whether a fault of a connection may be gone the next time."""
    if isinstance(error, RedisTimeout):
        # It has used up the time that there was.
        return False
    if isinstance(fault, AuthenticationError | AuthorizationError):
        return False
    return not any(isinstance(cause, ssl.SSLError) for cause in causes(fault))
