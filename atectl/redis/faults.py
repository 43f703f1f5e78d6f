"""Turning what a Redis client raises into errors of ours.

No message repeats what redis-py says about a connection: that may contain a password. What the
server itself said is repeated where it names a command, a key or a slot.
"""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions as faults  # noqa: TID253 - the library is what this room is about
from redis.sentinel import MasterNotFoundError  # noqa: TID253

from atectl.errors import AtectlError
from atectl.redis.errors import (
    BadRedisUrl,
    RedisBusy,
    RedisClusterDown,
    RedisFailure,
    RedisLoginRefused,
    RedisOutOfMemory,
    RedisPermissionDenied,
    RedisReadOnly,
    RedisRefused,
    RedisSlotMoving,
    RedisTimeout,
    RedisTlsFailed,
    RedisUnreachable,
    RedisWrongType,
)

MAX_WORDS = 200
"""How many characters of a server's message are repeated."""

_NO_LOGIN = "called without any password configured"
_NO_MORE_CLIENTS = "max number of clients"

# The first class that fits is used, so derived classes stand before their base classes.
_MEANINGS: tuple[tuple[type[Exception], type[RedisFailure], str], ...] = (
    (faults.AuthenticationError, RedisLoginRefused, "refuses the user or password"),
    (faults.AuthenticationWrongNumberOfArgsError, RedisLoginRefused, "knows no users"),
    (faults.AuthorizationError, RedisLoginRefused, "refuses the user"),
    (faults.NoPermissionError, RedisPermissionDenied, "denies a command"),
    (faults.BusyLoadingError, RedisBusy, "is loading its data"),
    (faults.ReadOnlyError, RedisReadOnly, "is a replica and takes no writes"),
    (faults.OutOfMemoryError, RedisOutOfMemory, "has no memory left"),
    (faults.ClusterCrossSlotError, RedisRefused, "has the keys in different slots"),
    (faults.CrossSlotTransactionError, RedisRefused, "has the keys in different slots"),
    (faults.InvalidPipelineStack, RedisRefused, "answered too little"),
    (faults.MasterDownError, RedisClusterDown, "is a replica that has lost its primary"),
    (faults.ClusterDownError, RedisClusterDown, "belongs to a cluster that is down"),
    (faults.MovedError, RedisClusterDown, "belongs to a cluster whose slots were moved"),
    (faults.AskError, RedisSlotMoving, "is not done moving the slot of a key"),
    (faults.TryAgainError, RedisSlotMoving, "is not done moving the slot of a key"),
    (faults.ClusterError, RedisClusterDown, "belongs to a cluster whose slots are being moved"),
    (
        faults.SlotNotCoveredError,
        RedisClusterDown,
        "belongs to a cluster with unserved slots",
    ),
    (
        faults.RedisClusterException,
        RedisClusterDown,
        "belongs to a cluster with unserved slots",
    ),
    (faults.TimeoutError, RedisTimeout, "did not answer in time"),
    (TimeoutError, RedisTimeout, "did not answer in time"),
    (ssl.SSLError, RedisTlsFailed, "made no TLS connection"),
    (MasterNotFoundError, RedisUnreachable, "knows no master that is up"),
    (faults.ConnectionError, RedisUnreachable, "cannot be reached"),
    (OSError, RedisUnreachable, "cannot be reached"),
    (faults.ResponseError, RedisRefused, "refused a command"),
    (faults.InvalidResponse, RedisRefused, "gave an answer that is not Redis protocol"),
    (faults.RedisError, RedisRefused, "could not be used"),
    (faults.ChildDeadlockedError, RedisRefused, "could not be used"),
    (faults.IncorrectPolicyType, RedisRefused, "could not be used"),
)

FOREIGN = tuple({foreign for foreign, _, _ in _MEANINGS})
"""What `translated` catches."""

# For some answers redis-py has no class of their own: there the text decides. In a pipeline the
# text begins with the command; a fault within a script is part of an ERR message.
_BY_WORDS: tuple[tuple[re.Pattern[str], type[RedisFailure], str], ...] = (
    (re.compile(r"(?:^|caused error: )WRONGTYPE "), RedisWrongType, "has a value of another type"),
    (
        re.compile(r"value is not an integer|would overflow"),
        RedisWrongType,
        "has a value that cannot be counted up",
    ),
    (re.compile(r"(?:^|caused error: )BUSY "), RedisBusy, "is busy"),
    (
        re.compile(r"(?:^|caused error: )(?:MISCONF|NOREPLICAS) "),
        RedisReadOnly,
        "accepts no writes at present",
    ),
    (
        re.compile(r"(?:^|caused error: |-)READONLY "),
        RedisReadOnly,
        "is a replica and takes no writes",
    ),
    (
        re.compile(r"The user executing the script can't |ACL failure in script"),
        RedisPermissionDenied,
        "denies a command",
    ),
)

_TOLD_IN_FULL = (
    RedisBusy,
    RedisPermissionDenied,
    RedisWrongType,
    RedisReadOnly,
    RedisClusterDown,
    RedisOutOfMemory,
    RedisRefused,
)

_CERTIFICATE_FAULTS = (
    ("hostname mismatch", "its certificate is for another name", "--redis-server-name"),
    ("ip address mismatch", "its certificate is not for its address", "--redis-server-name"),
    ("unable to get local issuer", "its certificate is of an unknown authority", "--redis-ca"),
    ("self-signed", "its certificate is of an unknown authority", "--redis-ca"),
    ("self signed", "its certificate is of an unknown authority", "--redis-ca"),
    ("certificate has expired", "its certificate has expired", ""),
    ("certificate required", "it wants a client certificate", "--redis-cert and --redis-key"),
    ("handshake failure", "it may want a client certificate", "--redis-cert and --redis-key"),
    # The reason is often lost when the server closes the connection.
    ("eof occurred", "it may refuse the client certificate", "--redis-cert and --redis-key"),
    ("unknown ca", "it does not know who issued the client certificate", "--redis-cert"),
)


_NO_DATABASE = re.compile(r"DB index is out of range|SELECT is not allowed in cluster mode")
_UNKNOWN_COMMAND = re.compile(r"unknown command '?`?([^'`, ]+)", re.IGNORECASE)
_UNKNOWN_IN_SCRIPT = re.compile(r"Unknown (?:Redis )?command called from script")
_WHY_UNKNOWN = (
    "have it enabled: it was renamed or disabled there, or the server is older than version 6"
)


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn whatever a Redis client raises in this block into an error of ours.

    Args:
        address: `host:port` or the path of a socket, for the message.

    Raises:
        RedisFailure: one of its subclasses, by what happened (exit 125).
        BadRedisUrl: the server has no database of the number in the URL (exit 2).
    """
    try:
        yield
    except FOREIGN as fault:
        raise translation(fault, address) from fault


def translation(fault: BaseException, address: str) -> AtectlError:
    """Our error for one that redis-py, the system or the TLS library raised.

    Args:
        fault: what was raised.
        address: of the server, or a clause that says who named it and ends with "which".
    """
    fault = _telling(fault)
    if isinstance(fault, faults.ResponseError):
        error_of_url = _unfit(str(fault), address)
        if error_of_url is not None:
            return error_of_url
    if isinstance(fault, ssl.SSLError):
        return _tls_failure(fault, address)
    meaning, short = _meaning(fault)
    error = meaning(f"{address} {short}{_detail(fault, meaning)}")
    if isinstance(fault, faults.AuthenticationError) and _NO_LOGIN in str(fault):
        error.remedy = "leave the password out: the server takes none"
    if str(fault).startswith(_NO_MORE_CLIENTS):
        error.remedy = "end clients that are not needed, or raise maxclients on the server"
    if isinstance(fault, faults.ResponseError) and meaning is RedisRefused:
        error.remedy = "see what the server says: its version or configuration does not allow this"
    return error


def _unfit(words: str, address: str) -> AtectlError | None:
    """The error for an answer that says that the server lacks what is needed."""
    if _NO_DATABASE.search(words):
        return BadRedisUrl(
            f"{address} has no database of the number in the URL",
            remedy="leave the database out of the URL, or name one that the server has",
        )
    unknown = _UNKNOWN_COMMAND.search(words)
    if unknown is not None:
        name = unknown.group(1).upper()[:MAX_WORDS]
        return RedisRefused(f"{address} does not know the command {name}", remedy=_WHY_UNKNOWN)
    if "CROSSSLOT" in words or "hash to the same slot" in words:
        return RedisRefused(
            f"{address} has the keys in different slots",
            remedy="take a prefix without braces, or with one whole hash tag such as {app}:",
        )
    if _UNKNOWN_IN_SCRIPT.search(words):
        told = f"{address} does not know a command that a script of atectl needs"
        return RedisRefused(told, remedy=_WHY_UNKNOWN)
    return None


def _telling(fault: BaseException) -> BaseException:
    """Of all faults that led to `fault`, the one that says most about the cause."""
    chain = list(causes(fault))
    is_vague = isinstance(fault, faults.ConnectionError | faults.RedisClusterException | OSError)
    if is_vague and (tls := next((one for one in chain if isinstance(one, ssl.SSLError)), None)):
        return tls
    if type(fault) is faults.RedisClusterException:
        known = (one for one in chain[1:] if isinstance(one, FOREIGN))
        return next((one for one in known if type(one) is not type(fault)), fault)
    return fault


def causes(fault: BaseException | None) -> Iterator[BaseException]:
    """The fault, what it was raised from, what that was raised from, and so on."""
    seen: set[int] = set()
    while fault is not None and id(fault) not in seen:
        seen.add(id(fault))
        yield fault
        fault = fault.__cause__ or fault.__context__


def _meaning(fault: BaseException) -> tuple[type[RedisFailure], str]:
    if isinstance(fault, faults.ResponseError):
        for pattern, meaning, short in _BY_WORDS:
            if pattern.search(str(fault)):
                return meaning, short
    for foreign, meaning, short in _MEANINGS:
        if isinstance(fault, foreign):
            return meaning, short
    raise AssertionError(f"{type(fault)} is not among what is caught")


def _detail(fault: BaseException, meaning: type[RedisFailure]) -> str:
    if issubclass(meaning, RedisUnreachable):
        return _system_reason(fault)
    if isinstance(fault, faults.ResponseError) and issubclass(meaning, _TOLD_IN_FULL):
        # A server that does not know AUTH repeats its arguments, and so the password.
        words = str(fault).partition(", with args")[0].strip()
        return f": {words[:MAX_WORDS]}" if words else ""
    return ""


def _system_reason(fault: BaseException) -> str:
    if str(fault).startswith(_NO_MORE_CLIENTS):
        return ": it takes no more clients"
    for cause in causes(fault):
        if isinstance(cause, OSError) and cause.strerror:
            return f": {cause.strerror.lower()}"
    return ": it closed the connection" if "closed" in str(fault) else ""


def _tls_failure(fault: ssl.SSLError, address: str) -> RedisTlsFailed:
    # Only errors that the TLS library itself raised have a reason.
    reason = getattr(fault, "reason", None) or ""
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return RedisTlsFailed(
            f"{address} does not speak TLS", remedy="write redis:// in place of rediss://"
        )
    words = str(fault).lower().replace("_", " ")
    for sign, meaning, option in _CERTIFICATE_FAULTS:
        if sign in words:
            remedy = f"check {option}" if option else "have the server's certificate renewed"
            return RedisTlsFailed(f"no TLS connection to {address}: {meaning}", remedy=remedy)
    told = reason.replace("_", " ").lower() or "it failed"
    return RedisTlsFailed(f"no TLS connection to {address}: {told}")
