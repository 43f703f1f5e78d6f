"""What goes wrong between atectl and a Redis or Valkey server: E501 to E515."""

from atectl.errors import AtectlError, UsageError


class RedisFailure(AtectlError):
    """The Redis or Valkey server cannot be used."""


class RedisUnreachable(RedisFailure):
    """Nothing answers at the address of the Redis server, or the connection broke."""

    code = "E501"
    example = "--redis redis://127.0.0.1:1, where no server listens"
    default_remedy = "check the address, and that the server runs and takes connections from here"


class RedisTimeout(RedisFailure):
    """The Redis server did not answer in time."""

    code = "E502"
    example = "the server is suspended, overloaded, or behind a firewall that drops packets"
    default_remedy = "check the server, or give it longer with --redis-timeout"


class RedisLoginRefused(RedisFailure):
    """The Redis server refuses the user or password, or needs one and was given none."""

    code = "E503"
    example = "--redis redis://operator@redis.example, with a wrong password"
    default_remedy = (
        "name the user in the URL and give the password with --redis-password-file, "
        "or in ATECTL_REDIS_URL"
    )


class RedisPermissionDenied(RedisFailure):
    """The Redis user may not run a command or touch a key that is needed."""

    code = "E504"
    example = "an ACL user without the permission +scan"
    default_remedy = "grant the ACL user what it lacks, or use another user"


class RedisWrongType(RedisFailure):
    """A key in Redis holds another type of value than it should, or no number where it should."""

    code = "E505"
    example = "a key that should hold text is a list"
    default_remedy = "find out which program writes the key"


class RedisBusy(RedisFailure):
    """The Redis server is still loading its data from disk, or busy with a script."""

    code = "E506"
    example = "the server was restarted a moment ago"
    default_remedy = "try again when it has finished"


class RedisReadOnly(RedisFailure):
    """The Redis server is a replica, or accepts no writes at present."""

    code = "E507"
    example = "the URL names a replica, or a failover is under way"
    default_remedy = "name the primary, or a Sentinel that knows it"


class RedisClusterDown(RedisFailure):
    """The Redis cluster does not serve the slot of a key."""

    code = "E508"
    example = "a primary is gone and no replica has taken its slots yet"
    default_remedy = "check CLUSTER INFO on the nodes, and try again when cluster_state is ok"


class RedisTlsFailed(RedisFailure):
    """The TLS connection to the Redis server failed."""

    code = "E509"
    example = "the server's certificate is for another name"
    default_remedy = "check --redis-ca, --redis-cert, --redis-key and --redis-server-name"


class BadRedisUrl(UsageError):
    """The Redis URL, or an option that belongs to it, cannot be used."""

    code = "E510"
    example = "--redis localhost:6379"
    default_remedy = (
        "write redis://HOST:PORT, rediss://HOST:PORT (TLS) or unix:///PATH; in a user or password "
        "percent-encode / as %2F, ? as %3F, # as %23, @ as %40 and % as %25"
    )


class NoRedisNamed(UsageError):
    """No Redis server was named."""

    code = "E511"
    example = "no --redis option, no ATECTL_REDIS_URL and no atectl.toml"
    default_remedy = (
        "name it with --redis URL, ATECTL_REDIS_URL, or url under [redis] in atectl.toml"
    )


class BadRedisFile(UsageError):
    """A password, certificate or key file for the Redis connection cannot be used."""

    code = "E512"
    example = "--redis rediss://redis.example --redis-ca no-such-file.pem"
    default_remedy = (
        "name a file that exists, that you may read, and that contains what the option asks for"
    )


class RedisOutOfMemory(RedisFailure):
    """The Redis server has no memory left for writes."""

    code = "E513"
    example = "maxmemory is reached and nothing may be evicted"
    default_remedy = "raise maxmemory on the server, or delete keys that are not needed"


class RedisRefused(RedisFailure):
    """The Redis server answered with an error, or with something that is not Redis protocol."""

    code = "E514"
    example = "the address is that of another kind of server"
    default_remedy = (
        "check that the address is that of a Redis or Valkey server, version 6 or later"
    )


class RedisSlotMoving(RedisFailure):
    """The slot of a key is being moved to another node of the cluster, or was left half moved."""

    code = "E515"
    example = "a reshard that was broken off leaves a slot migrating on one node"
    default_remedy = (
        "wait until the move is over; if nobody moves it, `redis-cli --cluster fix HOST:PORT` "
        "finishes or undoes the move"
    )


PASSING = (
    RedisUnreachable,
    RedisTimeout,
    RedisBusy,
    RedisReadOnly,
    RedisClusterDown,
    RedisSlotMoving,
    RedisOutOfMemory,
)
"""Failures that may pass by themselves, as in a failover: asking again later can help."""


def nonsense(address: str, what: str) -> RedisRefused:
    """The error for an answer that no Redis server gives to this."""
    return RedisRefused(f"{address} answered {what} with nonsense")
