"""What goes wrong with actor locks: E114 to E116, and E520 to E547."""

from atectl.errors import AtectlError, UsageError

# Naming an actor


class BadActor(UsageError):
    """The text does not name an actor."""

    code = "E114"
    example = "atectl locks show 'My Actor'"
    default_remedy = "write ATESPACE/NAME, NAME or the key of its lock; names are a-z, 0-9 and -"


class AmbiguousActor(UsageError):
    """There are several locks of that name."""

    code = "E115"
    example = "atectl locks release web, where two atespaces have an actor of that name"
    default_remedy = "name one of the listed keys in full"


class TokenNeeded(UsageError):
    """To release a lock without being asked, its token has to be named."""

    code = "E116"
    example = "atectl locks release demo/web --yes"
    default_remedy = "pass --token TOKEN; `atectl locks show` shows the token"


# Looking and releasing


class UnknownLock(AtectlError):
    """There is neither a lock nor a record of this actor."""

    code = "E520"
    exit_status = 1
    example = "atectl locks show demo/nobody"
    default_remedy = "`atectl locks ls` lists the locks"


class LockRenewing(AtectlError):
    """The holder of the lock is alive or may be, or is none of the systems that lock actors."""

    code = "E521"
    exit_status = 1
    example = "atectl locks release demo/web, while its holder works"
    default_remedy = (
        "let it finish; --force releases the lock anyway, while its work goes on without it"
    )


class LockChanged(AtectlError):
    """The lock is not the one that was seen any more; nothing was released."""

    code = "E522"
    exit_status = 1
    example = "another holder takes the lock before the question is answered"
    default_remedy = "look again: `atectl locks show ACTOR`"


class NoToken(AtectlError):
    """The key holds no text, so there is no token to compare; nothing was released."""

    code = "E526"
    exit_status = 1
    example = "atectl locks release demo/web, where lock:actor:demo:web is a list"
    default_remedy = "find out which program writes the key"


class AuditUnwritable(AtectlError):
    """No audit note could be written, so nothing was released."""

    code = "E523"
    example = "the disk is full, and the user may not write to Redis"
    default_remedy = "make the state folder writable, or set XDG_STATE_HOME to another one"


class AuditUnreadable(AtectlError):
    """The file of audit notes cannot be read."""

    code = "E524"
    example = "the file belongs to another user"
    default_remedy = "run the command as the user who owns the file"


class Incomplete(AtectlError):
    """What is shown is incomplete: a part of it could not be read."""

    code = "E525"
    example = "atectl locks ls, while a node of the cluster is down that has no replica"
    default_remedy = (
        "mend what the warnings name; for a user that may not read some keys, `atectl locks acl` "
        "prints the rules"
    )


class SamplesRefused(AtectlError):
    """Sample locks would be in the way of others, so none was laid."""

    code = "E527"
    exit_status = 1
    example = "atectl locks demo, with the server of a team in ATECTL_REDIS_URL"
    default_remedy = "name an empty server on this machine; --force lays them all the same"


# Holding a lock


class LockBusy(AtectlError):
    """Somebody else holds the actor's lock; nothing was run."""

    code = "E540"
    exit_status = 75
    example = "atectl locks hold demo/web -- ./deploy.sh, while another deploys"
    default_remedy = "wait for it: `--lock-wait 30s` of `locks hold` and `run`"


class OtherFormHeld(LockBusy):
    """A lock is held that may be of the same actor, with another form of its key."""

    code = "E547"
    example = "atectl locks hold staging/web, while somebody holds lock:actor:web"
    default_remedy = (
        "wait until it is free, or find out whether it is another actor: `atectl locks show KEY`; "
        "--lock-strict refuses to begin"
    )


class LockLost(AtectlError):
    """The actor's lock was lost, or may have been, so the work under it was ended."""

    code = "E541"
    example = "the server does not answer for 20 s while a lock of 30 s is held"
    default_remedy = (
        "check what the work has done so far, and who holds the lock now: `atectl locks show ACTOR`"
    )


class LockDeadline(AtectlError):
    """The command under the lock was still running at its deadline, so it was ended."""

    code = "E542"
    exit_status = 124
    example = "atectl locks hold --deadline 1s demo/web -- sleep 60"
    default_remedy = "raise --deadline, or lift it with --deadline none"


class BadLockTtl(UsageError):
    """The TTL of the lock is too short to be renewed in time, or longer than a day."""

    code = "E545"
    example = "atectl locks hold --lock-ttl 1ms demo/web -- true"
    default_remedy = "use 30s, as other holders of actor locks do"
